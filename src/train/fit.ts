/**
 * Training: epochs of a pure step over data, with what is usually wanted around it.
 *
 * The step is compiled once and owns its carry, as in `fold`. Everything that the next step depends on is in the {@link Run},
 * so that one that was saved, killed and opened again goes on as if nothing had happened, to the last bit: the key of a step
 * depends on the numbers of its epoch and step alone, and the data of an epoch can be asked for from any step on.
 */

import * as E from 'fp-ts/lib/Either.js';
import type * as TE from 'fp-ts/lib/TaskEither.js';
import { DTypeError, ShapeError, TreeError } from '../core/errors.ts';
import { Value } from '../core/value.ts';
import type { WriteError } from '../io/failure.ts';
import * as np from '../ops/np.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import { foldIn, type Key } from '../random/key.ts';
import { compiled, isIterable, Loop, pairOf, type Step, Turns } from './fold.ts';
import type { Progress } from './progress.ts';
import { type Best, type EpochRecord, type Measures, type Run, writeRun } from './run.ts';

/** What a step tells beside its carry: scalars by their names. */
export type Told = Readonly<Record<string, Value>>;

/** One step of training. `key` is its own; a step that draws nothing leaves it out. */
export type TrainStep<C, X> = (carry: C, x: X, key: Key) => readonly [NoInfer<C>, Told];

/** The data of an epoch, from the step number `from` on: an array that is sliced, a sequence that skips, a reader that seeks. */
export type TrainData<X> = (epoch: number, from: number) => Iterable<X> | AsyncIterable<X>;

/** Options of {@link fit}. */
export interface FitOptions<C> {
  /** Epochs in all, with those that the run has already done. */
  readonly epochs: number;
  /** Measures of the carry after each epoch, on data that the steps do not see. */
  readonly validate?: (carry: C) => Measures | Promise<Measures>;
  /** Asked after each epoch: `earlyStopping` is one. It sees the history alone, so that a resumed run ends as well. */
  readonly stop?: (history: readonly EpochRecord[]) => boolean;
  /** Keep the carry of the epoch for which this number was the greatest; −loss, say. */
  readonly best?: (record: EpochRecord) => number;
  /** Where the run is saved: before the first step, after each epoch, and every so many steps. */
  readonly save?: { readonly path: string; readonly everySteps?: number };
  /** Called after each epoch, with its record and the carry. */
  readonly onEpoch?: (record: EpochRecord, carry: C) => void;
  /** Shows how far the run is; `terminalProgress()` is one. */
  readonly progress?: Progress;
  /** When aborted, the run is saved (if it is to be saved at all) and ends after the step under way. */
  readonly signal?: AbortSignal;
}

/** Steps between two looks at what they have told: looking waits for the device. */
const lookEvery = 16;

/**
 * Train: `step` over the data of each epoch, from where `run` is to the end of `epochs`.
 *
 * What the steps tell is averaged over the steps of an epoch. The carry that `validate` and `onEpoch` see is theirs to keep, and
 * `run` stays as it is.
 *
 * @param step - from the carry, a datum and a key to `[carry, told]`; jitted once, also over several calls with the same function
 * @param run - where to begin: `startRun(carry, key)`, or what `openRun` has found
 * @param data - the data of an epoch, from a step on
 * @returns a task of the run after the last step; it resolves to a WriteError if the run cannot be saved
 * @throws TreeError, ShapeError or DTypeError (the task rejects) naming the leaf if the carry changes its structure or its type,
 *   or if what a step tells is no record of scalars
 *
 * @example
 * ```ts
 * import { np, optim, random, type Tensor, train, valueAndGrad } from 'pullback';
 *
 * const sgd = optim.sgd(0.5);
 * const w = np.array([3, -1]);
 * const step = ({ w, state }: { w: Tensor; state: optim.OptState }, x: Tensor) => {
 *   const [loss, gradient] = valueAndGrad((p: Tensor) => np.mean(np.square(np.sub(p, x))))(w);
 *   const [updates, next] = sgd.update(gradient, state, w);
 *   return [{ w: optim.applyUpdates(w, updates), state: next }, { loss }] as const;
 * };
 * const batches = [np.array([1, 1]), np.array([0, 0])];
 * const start = train.startRun({ w, state: sgd.init(w) }, random.key(0));
 * const end = await train.fit(step, start, (_epoch, from) => batches.slice(from), { epochs: 2 })();
 * if (end._tag === 'Right') console.log(end.right.history.map(({ training }) => training)); // => [ { loss: 3 }, { loss: 0.5625 } ]
 * ```
 */
export const fit =
  <C, X>(
    step: TrainStep<C, X>,
    run: Run<C>,
    data: TrainData<X>,
    options: FitOptions<NoInfer<C>>,
  ): TE.TaskEither<WriteError, Run<C>> =>
  async () => {
    expectFitOptions(options);
    const fitting = new Fitting(step, run, options);
    const saved = await fitting.save();
    return E.isLeft(saved) ? saved : fitting.epochs(data);
  };

/** A run under way. */
class Fitting<C, X> {
  private readonly options: FitOptions<C>;
  private readonly loop: Loop<C, readonly [X, Key, Value], Told>;
  /** The run, but for its carry, which is in the loop, and for what was told since. */
  private run: Run<C>;
  private told: Told[] = [];
  private readonly turns = new Turns();

  constructor(step: TrainStep<C, X>, run: Run<C>, options: FitOptions<C>) {
    const withKey: Step<C, readonly [X, Key, Value], Told> = (carry, [x, key, index]) => {
      const [next, told] = pairOf('train.fit', step(carry, x, foldIn(key, index)));
      expectTold(told);
      return [next, told];
    };
    this.options = options;
    this.run = run;
    this.loop = new Loop(compiled('train.fit', step, withKey), run.carry);
  }

  async epochs(data: TrainData<X>): Promise<E.Either<WriteError, Run<C>>> {
    const { epochs, stop, progress, signal } = this.options;
    const stopped = (): boolean => this.run.history.length > 0 && (stop?.(this.run.history) ?? false);
    while (this.run.epoch < epochs && !stopped()) {
      progress?.begin(this.run.epoch, epochs, this.run.step);
      let saved: E.Either<WriteError, string | null>;
      try {
        saved = await this.epoch(data);
      } finally {
        // A bar that is left behind hides the cursor, and the error.
        progress?.end();
      }
      if (E.isLeft(saved)) return saved;
      if (signal?.aborted) break;
    }
    return E.right(await this.settled());
  }

  /** The rest of the epoch under way. */
  private async epoch(data: TrainData<X>): Promise<E.Either<WriteError, string | null>> {
    const { save, signal } = this.options;
    const { epoch } = this.run;
    const key = foldIn(this.run.key, epoch);
    for await (const x of iterated(data(epoch, this.run.step))) {
      if (signal?.aborted) return this.save();
      this.told.push(this.loop.advance([x, key, np.array(this.run.step, { dtype: 'int32' })]));
      this.run = { ...this.run, step: this.run.step + 1 };
      if (this.run.step % lookEvery === 0) await this.look();
      if (save?.everySteps !== undefined && this.run.step % save.everySteps === 0) {
        const saved = await this.save();
        if (E.isLeft(saved)) return saved;
      }
      await this.turns.give();
    }
    if (signal?.aborted) return this.save();
    await this.end();
    return this.save();
  }

  /** What ends an epoch: its record, and what depends on it. */
  private async end(): Promise<void> {
    const { validate, best, onEpoch } = this.options;
    const { epoch, step, sums, history } = await this.settled();
    if (step === 0) {
      throw new ShapeError({
        op: 'train.fit',
        problem: `the data of epoch ${epoch} are empty`,
        remedy: 'return the batches of the epoch, or ask for fewer epochs',
      });
    }
    const carry = this.loop.keep();
    const record: EpochRecord = {
      epoch,
      training: Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / step])),
      validation: measuresOf((await validate?.(carry)) ?? {}),
    };
    this.run = {
      ...this.run,
      epoch: epoch + 1,
      step: 0,
      sums: {},
      history: [...history, record],
      best: better(best, record, carry, this.run.best),
    };
    onEpoch?.(record, carry);
  }

  /** Adds up what the steps have told. The order is theirs, so that the sums do not depend on when they are looked at. */
  private async look(): Promise<void> {
    const told = this.told;
    this.told = [];
    let { sums } = this.run;
    let latest: Measures = {};
    for (const scalars of told) {
      const read: [string, number][] = [];
      for (const [name, x] of Object.entries(scalars)) read.push([name, Number((await x.data())[0])]);
      latest = Object.fromEntries(read);
      sums = Object.fromEntries(read.map(([name, value]) => [name, (sums[name] ?? 0) + value]));
    }
    this.run = { ...this.run, sums };
    if (told.length > 0) this.options.progress?.advance(told.length, latest);
  }

  /** The run as a value, with everything that was told. */
  private async settled(): Promise<Run<C>> {
    await this.look();
    return { ...this.run, carry: this.loop.keep() };
  }

  /** Saves the run, if it is to be saved; the path, or `null`. */
  async save(): Promise<E.Either<WriteError, string | null>> {
    const { save } = this.options;
    return save === undefined ? E.right(null) : writeRun(save.path, await this.settled())();
  }
}

function better<C>(
  score: FitOptions<C>['best'],
  record: EpochRecord,
  carry: C,
  before: Best<C> | null,
): Best<C> | null {
  if (score === undefined) return before;
  const value = score(record);
  if (typeof value !== 'number') throw noNumber('best returns', value);
  // Not `value <= before.value`: NaN is no better than anything.
  return before === null || value > before.value ? { epoch: record.epoch, value, carry } : before;
}

/**
 * Stop when a measure has not improved for `patience` epochs.
 *
 * @param measure - of an epoch's record; the smaller the better
 * @param minDelta - an improvement is at least so much
 *
 * @example
 * ```ts
 * import { train } from 'pullback';
 * const stop = train.earlyStopping(({ validation }) => validation['loss']!, { patience: 2 });
 * const record = (epoch: number, loss: number) => ({ epoch, training: {}, validation: { loss } });
 * console.log(stop([record(0, 3), record(1, 2), record(2, 2.5)])); // => false
 * console.log(stop([record(0, 3), record(1, 2), record(2, 2.5), record(3, 2.4)])); // => true
 * ```
 */
export const earlyStopping = (
  measure: (record: EpochRecord) => number,
  { patience, minDelta = 0 }: { readonly patience: number; readonly minDelta?: number },
): ((history: readonly EpochRecord[]) => boolean) => {
  expectCount('train.earlyStopping', 'patience', patience, 1);
  return (history) => {
    let least = Number.POSITIVE_INFINITY;
    let since = 0;
    for (const record of history) {
      const value = measure(record);
      if (value < least - minDelta) [least, since] = [value, 0];
      else since++;
    }
    return since >= patience;
  };
};

async function* iterated<X>(xs: Iterable<X> | AsyncIterable<X>): AsyncGenerator<X> {
  if (!isIterable(xs, Symbol.asyncIterator) && !isIterable(xs, Symbol.iterator)) {
    throw new TreeError({
      op: 'train.fit',
      problem: `the data of an epoch are ${describe(xs)}, which cannot be iterated over`,
      remedy: 'return an array, a generator or an async generator of batches',
    });
  }
  yield* xs;
}

/** @throws TreeError, ShapeError unless these are scalars by their names */
function expectTold(told: unknown): asserts told is Told {
  const remedy = 'return [carry, { loss }]: scalars by their names';
  if (typeof told !== 'object' || told === null || told instanceof Value || Array.isArray(told)) {
    throw new TreeError({ op: 'train.fit', problem: `the step tells ${describe(told)}`, remedy });
  }
  for (const [name, x] of Object.entries(told)) {
    if (!(x instanceof Value)) {
      throw new TreeError({ op: 'train.fit', problem: `the step tells ${name}: ${describe(x)}, not a tensor`, remedy });
    }
    if (x.ndim === 0) continue;
    throw new ShapeError({ op: 'train.fit', problem: `the step tells ${name}: ${describe(x)}, not a scalar`, remedy });
  }
}

const noNumber = (what: string, x: unknown): DTypeError =>
  new DTypeError({
    op: 'train.fit',
    problem: `${what} ${describe(x)}, not a JS number`,
    remedy: 'read scalars first: loss.item()',
  });

/** What was measured; no more than numbers can be saved. @throws DTypeError naming what is none */
function measuresOf(measures: Measures): Measures {
  for (const [name, x] of Object.entries(measures)) {
    if (typeof x !== 'number') throw noNumber(`validate returns ${name}:`, x);
  }
  return measures;
}

/** @throws DTypeError or ShapeError for options that there are not, and counts that are none */
function expectFitOptions(options: FitOptions<never>): void {
  const op = 'train.fit';
  expectOptions(op, options, 'epochs', 'validate', 'stop', 'best', 'save', 'onEpoch', 'progress', 'signal');
  expectCount(op, 'epochs', options.epochs, 0);
  if (options.save === undefined) return;
  expectOptions(op, options.save, 'path', 'everySteps');
  if (options.save.everySteps !== undefined) expectCount(op, 'save.everySteps', options.save.everySteps, 1);
}

function expectCount(op: string, what: string, x: unknown, least: number): void {
  if (typeof x !== 'number') {
    throw new DTypeError({ op, problem: `${what} is ${describe(x)}, not a JS number`, remedy: 'pass a whole number' });
  }
  if (Number.isSafeInteger(x) && x >= least) return;
  throw new ShapeError({ op, problem: `${what} is ${x}`, remedy: `pass a whole number that is at least ${least}` });
}
