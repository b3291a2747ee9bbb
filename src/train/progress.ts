/** How far a run is, for people. */

import type * as CliProgress from 'cli-progress';
import type { Measures } from './run.ts';

/** Who wants to know how far a run is. */
export interface Progress {
  /** An epoch begins, or goes on after `step` steps. */
  readonly begin: (epoch: number, epochs: number, step: number) => void;
  /** So many steps are done; `latest` is what the last of them told. */
  readonly advance: (steps: number, latest: Measures) => void;
  /** The epoch is over. */
  readonly end: () => void;
}

/** Under a name that no bundler follows: a page has no terminal. */
const library: string = 'cli-progress';

/**
 * A bar for each epoch on a terminal; nothing at all where standard output is a file or a pipe, so that logs stay readable.
 *
 * @param steps - steps of an epoch
 *
 * @example
 * ```ts
 * import { train } from 'pullback';
 * const progress = await train.terminalProgress(100);
 * progress.begin(0, 1, 0);
 * progress.advance(16, { loss: 0.5 });
 * progress.end();
 * ```
 */
export async function terminalProgress(steps: number): Promise<Progress> {
  const output = globalThis.process?.stdout;
  if (!output?.isTTY) return { begin: () => {}, advance: () => {}, end: () => {} };
  const { SingleBar } = ((await import(/* @vite-ignore */ library)) as { default: typeof CliProgress }).default;
  const bar = new SingleBar({
    format: 'epoch {epoch}/{epochs} [{bar}] {value}/{total}{told}, {eta} s left',
    clearOnComplete: true,
    hideCursor: true,
    barCompleteChar: '=',
    barIncompleteChar: ' ',
    stream: output,
  });
  return {
    begin: (epoch, epochs, step) => bar.start(steps, step, { epoch: epoch + 1, epochs, told: '' }),
    advance: (count, latest) =>
      bar.increment(count, {
        told: Object.entries(latest)
          .map(([name, x]) => `, ${name} ${x.toPrecision(4)}`)
          .join(''),
      }),
    end: () => bar.stop(),
  };
}
