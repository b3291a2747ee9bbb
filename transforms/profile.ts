/** What a profile of a run shows: its steps as a table, and its turns as a trace that viewers of traces open. */

import type { RunProfile, StepEvent, StepProfile } from '../src/core/inspection.ts';

/**
 * Where the time of one run of a compiled program went. Printed, it is a table.
 *
 * @example
 * ```ts
 * import { jit, np, type Tensor, wasmDevice, withDefaultDevice } from 'pullback';
 * const norms = jit((x: Tensor) => np.sqrt(np.sum(np.matmul(x, x), 1)));
 * const profile = withDefaultDevice(wasmDevice(), () => {
 *   const x = np.ones([32, 32]);
 *   return norms.lower(x).compile().profile(x);
 * });
 * console.log(profile.steps.map(({ kind, turns, flops }) => [kind, turns, flops]).join('; '));
 * // => contract,1,65536; kernel,1,1056
 * console.log(Object.keys(JSON.parse(profile.chromeTrace()))); // => [ 'traceEvents', 'displayTimeUnit', 'otherData' ]
 * ```
 */
export class Profile {
  /** What ran. */
  readonly name: string;
  /** Of the whole run. */
  readonly milliseconds: number;
  /** All steps, in the order of the program. */
  readonly steps: readonly StepProfile[];
  /** Turns of steps, in the order in which they ended: the first 65,536. */
  readonly events: readonly StepEvent[];
  /** How many turns there were after those. */
  readonly dropped: number;

  constructor(name: string, { milliseconds, steps, events, dropped }: RunProfile) {
    this.name = name;
    this.milliseconds = milliseconds;
    this.steps = steps;
    this.events = events;
    this.dropped = dropped;
  }

  /** The turns as a JSON text in the trace event format: save it, and open it in `chrome://tracing` or https://ui.perfetto.dev. */
  chromeTrace(): string {
    const micro = (milliseconds: number): number => Math.round(milliseconds * 1e6) / 1e3;
    const where = { pid: 1, tid: 1 };
    const named = (name: string, text: string) => ({ name, ph: 'M', ts: 0, ...where, args: { name: text } });
    const turns = this.events.map(({ step, start, milliseconds }) => {
      const { name, kind, flops, bytes, turns: count } = this.steps[step]!;
      const args = { step, flops: flops / count, bytes: bytes / count };
      return { name, cat: kind, ph: 'X', ts: micro(start), dur: micro(milliseconds), ...where, args };
    });
    const whole = { name: this.name, cat: 'run', ph: 'X', ts: 0, dur: micro(this.milliseconds), ...where, args: {} };
    return JSON.stringify({
      traceEvents: [named('process_name', 'pullback'), named('thread_name', this.name), whole, ...turns],
      displayTimeUnit: 'ms',
      otherData: { dropped: this.dropped },
    });
  }

  toString(): string {
    const rows = this.steps.map(({ name, depth, turns, milliseconds, flops, bytes }) => [
      '  '.repeat(depth) + name,
      String(turns),
      milliseconds.toFixed(3),
      milliseconds > 0 ? (flops / milliseconds / 1e6).toFixed(2) : '',
      milliseconds > 0 ? (bytes / milliseconds / 1e6).toFixed(2) : '',
    ]);
    const all = [
      ['step', 'turns', 'ms', 'GFLOP/s', 'GB/s'],
      ...rows,
      [this.name, '', this.milliseconds.toFixed(3), '', ''],
    ];
    const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
    return all
      .map((row) =>
        row
          .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
          .join('  ')
          .trimEnd(),
      )
      .join('\n');
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}
