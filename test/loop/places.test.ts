/** No two values that live at once overlap: plans of random programs, and of some that are known to be hard, followed byte by byte. */

import * as fc from 'fast-check';
import { cond, grad, np, scan, type Tensor, whileLoop } from 'pullback';
import { describe, expect, it } from 'vitest';
import { decompose } from '../../backends/loop/decompose/program.ts';
import { decomposedNames } from '../../backends/loop/lower/table.ts';
import { plan } from '../../backends/loop/plan/plan.ts';
import type { Place, Program, Step } from '../../backends/loop/plan/program.ts';
import { jaxprOf, programs } from '../../laws/arbitrary/program.ts';
import { exact, smooth } from '../../laws/arbitrary/program-ops.ts';
import { makeAval } from '../../src/core/aval.ts';
import { constsAsInputs, innerJaxprs, type Jaxpr } from '../../src/core/jaxpr.ts';
import { showJaxprInline } from '../../src/core/pretty.ts';
import { stage } from '../../src/core/stage.ts';
import type { Value } from '../../src/core/value.ts';
import { optimize } from '../../transforms/passes/index.ts';
import { misplaced } from './places.ts';

/** Plans as devices make them, and with products as loops, whose operands have names. */
const plansOf = (jaxpr: Jaxpr): readonly Program[] => {
  const simple = optimize(constsAsInputs(decompose(optimize(jaxpr), decomposedNames).jaxpr));
  return [
    plan(simple, { buffers: 48 }),
    plan(simple, { buffers: 48, products: false }),
    plan(simple, { buffers: 4, products: false }),
  ];
};

/** The plans of a function of float32 tensors. */
const plansFor = (f: (...args: Tensor[]) => Tensor | readonly Tensor[], ...shapes: number[][]): readonly Program[] => {
  const flat = (...args: readonly Value[]): readonly Value[] => [f(...(args as unknown as Tensor[]))].flat() as never;
  return plansOf(
    stage(
      'plansFor',
      flat,
      shapes.map((shape) => makeAval(shape, 'float32')),
    ).jaxpr,
  );
};

/** Every place that a step names, changed. */
function elsewhere(steps: readonly Step[], change: (place: Place) => Place): readonly Step[] {
  const moved = (step: Step): Step => {
    switch (step.kind) {
      case 'kernel':
        return { ...step, places: step.places.map(change) };
      case 'contract':
      case 'convolve':
        return { ...step, a: change(step.a), b: change(step.b), c: change(step.c) };
      case 'copy':
        return { ...step, from: change(step.from), to: change(step.to) };
      case 'repeat':
        return { ...step, body: elsewhere(step.body, change) };
      case 'while':
        return {
          ...step,
          flag: change(step.flag),
          condition: elsewhere(step.condition, change),
          body: elsewhere(step.body, change),
        };
      case 'branch':
        return {
          ...step,
          index: change(step.index),
          branches: step.branches.map((branch) => elsewhere(branch, change)),
        };
    }
  };
  return steps.map(moved);
}

const offsetsOf = (steps: readonly Step[]): readonly number[] => {
  const found = new Set<number>();
  elsewhere(steps, (place) => {
    if (place.base === 'arena') found.add(place.offset);
    return place;
  });
  return [...found].sort((a, b) => a - b);
};

/** A chain whose values each live until the last step. */
const held = (x: Tensor): Tensor => {
  const values = [x];
  for (let i = 0; i < 4; i++) values.push(np.cumsum(values.at(-1)!, 0));
  return values.reduce((sum, y) => np.cumsum(np.add(sum, y), 0));
};

const looped = (x: Tensor, w: Tensor): readonly Tensor[] => {
  const [last, all] = scan(
    (h: Tensor, v: Tensor): [Tensor, Tensor] => {
      const next = np.tanh(np.add(np.matmul(h, w), np.cumsum(v, 0)));
      return [np.sub(next, np.cumsum(next, 0)), np.sort(next)];
    },
    np.matmul(x, w),
    np.stack([x, x, x]),
  );
  const many = whileLoop(
    (v: Tensor) => np.less(np.sum(v), 10),
    (v: Tensor) => np.add(np.cumsum(v, 0), np.sort(v)),
    last,
  );
  return [many, np.sum(np.matmul(all, w)), np.add(np.cumsum(x, 0), last)];
};

const chosen = (x: Tensor, w: Tensor): Tensor => {
  const y = np.cumsum(np.matmul(x, w), 0);
  const z = cond(
    np.greater(np.sum(y), 0),
    (v: Tensor) => np.cumsum(np.sort(v), 0),
    (v: Tensor) => np.matmul(v, w),
    y,
  );
  return np.add(np.cumsum(z, 0), np.cumsum(y, 0));
};

/** Whether results may be operands in their memory, under names of their own. */
const hasAliases = ({ eqns }: Jaxpr): boolean =>
  eqns.some(
    (eqn) =>
      ['optimization_barrier', 'tap'].includes(eqn.primitive.name) || innerJaxprs(eqn).some((x) => hasAliases(x)),
  );

/** What is wrong with which program, instead of the program as an object. */
const plainly = (run: fc.RunDetails<[Jaxpr]>): void => {
  if (run.failed) throw new Error(`${run.errorInstance} (seed ${run.seed}, path ${run.counterexamplePath})`);
};

describe('places of values', () => {
  it('of random programs are their own as long as they live', () => {
    const any = programs({ ops: exact, dtypes: ['float32', 'int32', 'uint32', 'bool', 'float64'], maxSteps: 12 });
    const floats = programs({ ops: smooth, dtypes: ['float32'], maxSteps: 12 });
    fc.assert(
      fc.property(fc.oneof(any, floats).map(jaxprOf), (jaxpr) => {
        for (const program of plansOf(jaxpr)) {
          const found = misplaced(program, hasAliases(jaxpr));
          if (found.length > 0) throw new Error(`${found.join('; ')} in the plan of ${showJaxprInline(jaxpr)}`);
        }
      }),
      { numRuns: Number(process.env['LAWS'] ?? 100), endOnFailure: true, reporter: plainly },
    );
  });

  it.each([
    ['that are held', plansFor(held, [40])],
    ['of loops', plansFor(looped, [4, 4], [4, 4])],
    ['of branches', plansFor(chosen, [4, 4], [4, 4])],
    ['of a derivative', plansFor((x, w) => grad((v: Tensor) => np.sum(looped(v, w)[2]!))(x), [4, 4], [4, 4])],
  ])('%s are their own', (_, plans) => {
    for (const program of plans) expect(misplaced(program)).toEqual([]);
  });

  it('is broken by values put in the memory of others', () => {
    /** Of the values of a plan, each put where the one before it lies: which are found to be misplaced. */
    const found = (program: Program): readonly boolean[] => {
      const offsets = offsetsOf(program.steps);
      expect(offsets.length).toBeGreaterThan(2);
      return offsets.slice(1).map((from, i) => {
        const change = (place: Place): Place =>
          place.base === 'arena' && place.offset === from ? { ...place, offset: offsets[i]! } : place;
        return misplaced({ ...program, steps: elsewhere(program.steps, change) }).length > 0;
      });
    };
    for (const program of plansFor(held, [40])) expect(found(program)).not.toContain(false);
    // Some of them may lie there.
    for (const program of [plansFor(looped, [4, 4], [4, 4]), plansFor(chosen, [4, 4], [4, 4])].flat())
      expect(found(program)).toContain(true);
  });
});
