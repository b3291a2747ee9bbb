/** Expressions of programs that were compiled long ago are not kept. */

import { grad, np, type Tensor } from 'pullback';
import { expect, it } from 'vitest';
import { expressionCount } from '../../backends/loop/ir/expr.ts';
import { plan } from '../../backends/loop/plan/plan.ts';
import { makeAval } from '../../src/core/aval.ts';
import { constsAsInputs } from '../../src/core/jaxpr.ts';
import { stage } from '../../src/core/stage.ts';
import type { Value } from '../../src/core/value.ts';
import { optimize } from '../../transforms/passes/index.ts';

it('a process that compiles programs for ever keeps the expressions of one', () => {
  const kept = Array.from({ length: 30 }, (_, program) => {
    const loss = (x: Tensor): Tensor => np.sum(np.tanh(np.add(np.mul(x, x), np.max(x, 0))));
    const { jaxpr } = stage('program', (x) => [grad(loss)(x as unknown as Tensor) as unknown as Value], [
      makeAval([16, 3 + program], 'float32'),
    ]);
    plan(optimize(constsAsInputs(jaxpr)), { buffers: 48 });
    return expressionCount();
  });
  expect(kept[0]).toBeGreaterThan(10);
  expect(Math.max(...kept.slice(1))).toBeLessThanOrEqual(kept[1]!);
});
