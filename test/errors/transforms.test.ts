/** What untyped code passes to transforms: refused where it is passed, with the remedy. */

import {
  associativeScan,
  checkFinite,
  checkpoint,
  cond,
  customJvp,
  customLinearSolve,
  customRoot,
  customVjp,
  foriLoop,
  grad,
  hessian,
  jacfwd,
  jacrev,
  jit,
  jvp,
  lax,
  linearize,
  linearTranspose,
  map,
  nn,
  np,
  scan,
  switch_,
  type Tensor,
  valueAndGrad,
  vjp,
} from 'pullback';
import { describe, expect, test } from 'vitest';
import { message } from './message.ts';

const x = np.array([1, 2, 3]);
const f = (v: Tensor): Tensor => np.sum(v);
const same = (v: Tensor): Tensor => v;

describe('options that there are not', () => {
  const wrong = { argNums: 1 } as never;
  const calls: readonly (readonly [string, () => unknown])[] = [
    ['grad', () => grad(f, wrong)],
    ['valueAndGrad', () => valueAndGrad(f, wrong)],
    ['jvp', () => jvp(f, [x], [x], wrong)],
    ['vjp', () => vjp(f, [x], wrong)],
    ['linearize', () => linearize(f, [x], wrong)],
    ['jacfwd', () => jacfwd(f, wrong)],
    ['jacrev', () => jacrev(f, wrong)],
    ['hessian', () => hessian(f, wrong)],
    ['jit', () => jit(f, wrong)],
    ['scan', () => scan((c: Tensor) => [c, null], x, x, wrong)],
    ['map', () => map(same, x, wrong)],
    ['associativeScan', () => associativeScan(np.add, x, wrong)],
    ['checkpoint', () => checkpoint(f, wrong)],
    ['checkFinite', () => checkFinite(f, wrong)],
    ['customJvp', () => customJvp(same, ([v], [t]) => [v, t], wrong)],
    [
      'customVjp',
      () =>
        customVjp(
          same,
          (v) => [v, null],
          (_, ct) => [ct],
          wrong,
        ),
    ],
    ['customLinearSolve', () => customLinearSolve(same, x, (_, b) => b, wrong)],
  ];
  test.each(calls)('%s', (op, call) => {
    expect(message(call)).toContain(`DTypeError: ${op}: there is no option 'argNums'\n  remedy: the options are {`);
  });
  test('numbers in their place', () => {
    expect(message(() => grad(f, 1 as never))).toContain('DTypeError: grad: 1 stands where options are expected');
    expect(message(() => jit(f, 0 as never))).toContain('DTypeError: jit: 0 stands where options are expected');
  });
});

describe('one thing in the place of another', () => {
  const calls: readonly (readonly [string, () => unknown, string])[] = [
    [
      'vjp',
      () => vjp(f, x as never),
      'TreeError: vjp: primals must be an array of the arguments, got the tensor float32[3]',
    ],
    ['jvp', () => jvp(f, x as never, x as never), 'TreeError: jvp: primals must be an array of the arguments'],
    ['tangents', () => jvp(f, [x], x as never), 'TreeError: jvp: tangent must be an array of 1'],
    ['linearize', () => linearize(f, x as never), 'remedy: pass an array, also of one: linearize(f, [x])'],
    ['linearTranspose', () => linearTranspose(f, x as never), 'TreeError: linearTranspose: primals must be an array'],
    [
      'cond',
      () => cond(true, x as never, x as never),
      'TreeError: cond: onFalse must be a function of the operands, got the tensor float32[3]',
    ],
    ['switch_', () => switch_(0, [x as never]), 'TreeError: switch_: branch 0 must be a function of the operands'],
    [
      'checkpoint',
      () => checkpoint(f, { policy: 'dots' as never }),
      'TreeError: checkpoint: "dots" is no policy\n  remedy: use one of checkpointPolicies: nothingSaveable,',
    ],
    [
      'cummax',
      () => lax.cummax(x, { reverse: true } as never),
      'DTypeError: lax.cummax: { reverse } stands where an axis is expected\n  remedy: options come behind the axis: lax.cummax(x, 0,',
    ],
    [
      'cotangent',
      () => vjp(f, [x])[1](np.array(1, { dtype: 'int32' }) as never),
      'DTypeError: vjp: cotangent must be float32[], got int32[]',
    ],
    [
      'cotangent of another shape',
      () => vjp(f, [x])[1](x),
      'ShapeError: vjp: cotangent must be float32[], got float32[3]',
    ],
    ['async body', () => scan((async (c: Tensor) => [c, null]) as never, x, x), 'AsyncTraceError: scan'],
    [
      'async bwd',
      () => customVjp(same, (v) => [v, null], (async () => [x]) as never)(x),
      'AsyncTraceError: customVjp(same)',
    ],
    ['async rule', () => customJvp(same, (async () => [x, x]) as never)(x), 'AsyncTraceError: customJvp(same)'],
    [
      'foriLoop',
      () => foriLoop(0, 2147483648, (_, c) => c, x),
      'DTypeError: foriLoop: upper is 2147483648, which the index, an int32, cannot hold',
    ],
    [
      'customRoot',
      () =>
        customRoot(
          (v: Tensor) => np.sum(v),
          x,
          (_, v) => v,
          (_, y) => y,
        ),
      'TreeError: customRoot: f takes float32[3] at x and returns float32[]',
    ],
    [
      'customRoot of another structure',
      () =>
        customRoot(
          ((v: Tensor) => [v]) as never,
          x,
          (_, v) => v,
          (_, y) => y,
        ),
      'TreeError: customRoot: f returns another structure than it takes',
    ],
    [
      'batchNorm',
      () => nn.functional.batchNorm(x, undefined as never),
      'TreeError: nn.functional.batchNorm: the running statistics must be { mean, variance }, got undefined',
    ],
  ];
  test.each(calls)('%s', (_, call, words) => expect(message(call)).toContain(words));
});
