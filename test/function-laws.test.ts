/** The laws of users' functions: they hold where they should, and a planted bug is reported in words. */

import * as fc from 'fast-check';
import {
  checkpoint,
  cond,
  customJvp,
  customVjp,
  evalShape,
  foriLoop,
  grad,
  jit,
  makeAval,
  nn,
  np,
  random,
  scan,
  stopGradient,
  type Tensor,
  whileLoop,
} from 'pullback';
import {
  adjointLaw,
  args,
  batchingLaw,
  between,
  gradientLaw,
  jitLaw,
  type Law,
  readable,
  showReport,
  tensor,
  tensorOf,
  within,
} from 'pullback/laws';
import { describe, expect, test } from 'vitest';
import type { Primitive } from '../src/core/primitive.ts';
import { bind1 } from '../src/core/trace.ts';
import { mul, negP } from '../src/prim/arithmetic.ts';
import { cos, sin, sinP } from '../src/prim/math.ts';

const vector = makeAval([3], 'float32');
const scalar = makeAval([], 'float32');

/** What a law says of 100 cases, always the same ones. */
const reportOf = (law: Law): string => showReport(law.run({ seed: 1 })).replace(/\.ts:\d+:\d+/g, '.ts:LINE');

/** The line of the next call of `bind1`. */
const lineOfBind = Number(/ts:(\d+):/.exec(new Error().stack!.split('\n')[1]!)![1]) + 4;
const using =
  (primitive: Primitive<'sin'> | Primitive<'neg'>) =>
  (x: Tensor): Tensor =>
    bind1(primitive as Primitive, [x], {}) as Tensor;

/** A sine whose derivative is said to be the sine. */
const wrongDerivative: Primitive<'sin'> = {
  ...(sinP as Primitive<'sin'>),
  jvp: ([x], [t]) => ({ outs: [sin(x!)], tangents: [t ? mul(t, sin(x!)) : null] }),
};
/** A negation that pulls cotangents back as they are. */
const wrongTranspose: Primitive<'neg'> = {
  ...(negP as Primitive<'neg'>),
  jvp: ([x], [t]) => ({
    outs: [using(wrongTranspose)(x as Tensor)],
    tangents: [t ? using(wrongTranspose)(t as Tensor) : null],
  }),
  transpose: ([ct]) => [ct!],
};
/** A sine that is the cosine on batches. */
const wrongBatches: Primitive<'sin'> = {
  ...(sinP as Primitive<'sin'>),
  vmap: (_size, [x], dims) => ({ outs: [cos(x!)], dims }),
};

const init = () => nn.dense.init(random.key(0), 3, 2);
const logits = (p: ReturnType<typeof init>, x: Tensor) => np.tanh(nn.dense(p)(x));
const loss = (p: ReturnType<typeof init>, x: Tensor, labels: Tensor<'int32'>) => nn.crossEntropy(logits(p, x), labels);
const batch = args(evalShape(init), makeAval([2, 3], 'float32'), tensorOf(makeAval([2], 'int32'), between(0, 1)));

describe('laws that hold', () => {
  test('of a model', () => {
    expect(reportOf(gradientLaw(loss, batch))).toBe('loss: gradient = central differences: holds (100 cases)');
    expect(gradientLaw(loss, batch, { order: 2 }).run({ seed: 1, runs: 10 }).failure).toBeNull();
    expect(reportOf(adjointLaw(loss, batch))).toBe('loss: vjp is adjoint to jvp: holds (100 cases)');
    expect(reportOf(jitLaw(grad(loss), batch))).toBe('grad(loss): jit = eager: holds (100 cases)');
    expect(reportOf(batchingLaw(logits, args(evalShape(init), vector)))).toBe(
      'logits: vmap = stack ∘ map: holds (100 cases)',
    );
  });

  test('of functions with kinks, of several results, of trees, of integers', () => {
    const kinks = (x: Tensor) => ({ top: np.max(x), rest: [nn.relu(x), np.abs(x)], order: np.argsort(x) });
    for (const law of [gradientLaw, adjointLaw, jitLaw, batchingLaw]) {
      expect(law(kinks, args(vector)).run({ seed: 1 }).failure).toBeNull();
    }
  });

  test('of arguments that other arbitraries draw, in any shape', () => {
    const norm = (x: Tensor) => np.sqrt(np.add(1, np.sum(np.square(x))));
    const any = fc.tuple(tensor({ dtypes: ['float32'], domain: within(-2, 2) }));
    for (const law of [gradientLaw, adjointLaw, jitLaw]) expect(law(norm, any).run({ seed: 1 }).failure).toBeNull();
    expect(reportOf(batchingLaw(norm, any))).toMatch(
      /cases decide nothing, the first: no two examples have the same shapes/,
    );
    const pairs = fc.record({ x: tensorOf(vector, within(-1, 1)), name: fc.constantFrom('sin', 'cos') });
    const named = ({ x, name }: { readonly x: Tensor; readonly name: string }) =>
      name === 'sin' ? np.sin(x) : np.cos(x);
    expect(gradientLaw(named, fc.tuple(pairs)).run({ seed: 1 }).failure).toBeNull();
    const scaled = (x: Tensor, by: Tensor) => np.mul(x, by);
    expect(gradientLaw(scaled, args(vector, 2)).run({ seed: 1 }).failure).toBeNull();
  });

  test('what runs with branches in JavaScript is said to', () => {
    const branch = (x: Tensor) => (np.sum(x).item() > 0 ? np.sin(x) : np.square(x));
    expect(reportOf(gradientLaw(branch, args(vector), { order: 2 }))).toBe(
      'branch: gradient = central differences: holds (100 cases)\n  not traced: run with float64 arguments',
    );
    expect(reportOf(adjointLaw(branch, args(vector)))).toBe(
      'branch: vjp is adjoint to jvp: holds (100 cases)\n  not traced: run with float64 arguments',
    );
    // What is captured is on the default device, beside the arguments.
    const w = np.array([1, 2, 3]);
    const captured = (x: Tensor) => (np.sum(x).item() > 0 ? np.mul(w, np.sin(x)) : x);
    expect(gradientLaw(captured, args(vector)).run({ seed: 1 }).failure).toBeNull();
  });
});

describe('gradientLaw', () => {
  test('a wrong rule: the arguments, both gradients, the equation and its line', () => {
    const wrong = (p: { readonly w: Tensor }, x: Tensor) => np.sum(jit(using(wrongDerivative))(np.mul(p.w, x)));
    expect(reportOf(gradientLaw(wrong, args({ w: vector }, vector)))).toMatchInlineSnapshot(`
      "wrong: gradient = central differences: the derivative by vjp is wrong, worst at args[0].w[2]: 0, central differences say 1 (eps 0.00001, rtol 0.00001, atol 1e-7)
        args[0].w by vjp:         [0, 0, 0]
        args[0].w by differences: [0, 0, 1]
        first wrong equation: sin from test/function-laws.test.ts:LINE, whose jvp is wrong at its result[0] along its operand[0]: 0, central differences say 1
        counterexample: [{"w":float32[3] [0,0,0]},float32[3] [0,0,1]]
        after 1 case, 4 shrinks; replay with seed 1 and path "0:0:1:1:2""
    `);
  });

  test('the line of the equation is that of its use', () => {
    const wrong = (x: Tensor) => np.sum(np.add(using(wrongDerivative)(x), x));
    expect(gradientLaw(wrong, args(vector)).run({ seed: 1 }).failure?.why).toContain(
      `first wrong equation: sin from test/function-laws.test.ts:${lineOfBind}:`,
    );
  });

  test('in forward mode, and without a program', () => {
    const wrong = (x: Tensor) => (np.sum(x).item() > 1 ? using(wrongDerivative)(x) : np.cos(x));
    expect(reportOf(gradientLaw(wrong, args(vector), { modes: ['fwd'] }))).toMatchInlineSnapshot(`
      "wrong: gradient = central differences: the derivative by jvp is wrong, worst at output[0] along args[0][0]: 0, central differences say 1 (eps 0.00001, rtol 0.00001, atol 1e-7)
        output by jvp:         [0, 0, 0]
        output by differences: [1, 0, 0]
        first wrong equation: sin from test/function-laws.test.ts:LINE, whose jvp is wrong at its result[0] along its operand[0]: 0, central differences say 1
        not traced: run with float64 arguments
        counterexample: [float32[3] [0,1,1]]
        after 2 cases, 2 shrinks; replay with seed 1 and path "1:1:1""
    `);
  });

  test('a derivative that is stopped, and one that is wrong at second order', () => {
    const stopped = (x: Tensor) => np.mul(x, stopGradient(x));
    expect(reportOf(gradientLaw(stopped, args(scalar)))).toMatchInlineSnapshot(`
      "stopped: gradient = central differences: the derivative by vjp is wrong, worst at args[0]: 1, central differences say 2 (eps 0.00001, rtol 0.00001, atol 1e-7)
        no equation is wrong by itself, but stop_gradient from test/function-laws.test.ts:LINE stops the derivative
        counterexample: [float32[] [1]]
        after 1 case, 1 shrinks; replay with seed 1 and path "0:1""
    `);
    const wrong = (x: Tensor) => np.sum(np.cos(x));
    const hidden = (x: Tensor) => np.add(wrong(x), np.mul(0, np.sum(using(wrongDerivative)(x))));
    expect(gradientLaw(hidden, args(vector)).run({ seed: 1 }).failure).toBeNull();
  });

  test('a wrong transpose', () => {
    const wrong = (x: Tensor) => np.sum(np.square(using(wrongTranspose)(x)));
    expect(reportOf(gradientLaw(wrong, args(vector)))).toMatchInlineSnapshot(`
      "wrong: gradient = central differences: the derivative by vjp is wrong, worst at args[0][2]: -2, central differences say 2 (eps 0.00001, rtol 0.00001, atol 1e-7)
        args[0] by vjp:         [0, 0, -2]
        args[0] by differences: [0, 0, 2]
        first wrong equation: neg from test/function-laws.test.ts:LINE, whose vjp is wrong at its operand[1]: -0.99934051, central differences say 0.99934051
        counterexample: [float32[3] [0,0,1]]
        after 1 case, 3 shrinks; replay with seed 1 and path "0:1:1:2""
    `);
  });

  test('the equation in a loop, a branch, a rule', () => {
    const f = using(wrongDerivative);
    const first = (g: (x: Tensor) => unknown, modes: readonly ('fwd' | 'rev')[] = ['fwd', 'rev']): string => {
      const { failure } = gradientLaw(g, args(vector), { modes }).run({ seed: 1 });
      return (
        /first wrong equation: (\w+)(?: from test\/function-laws|,)/.exec(failure?.why ?? '')?.[1] ?? `${failure?.why}`
      );
    };
    expect(first((x) => scan((sum: Tensor, y: Tensor) => [np.add(sum, f(y)), np.mul(sum, y)], 0, x))).toBe('sin');
    expect(first((x) => foriLoop(0, 3, (_, y: Tensor) => np.sin(f(y)), x))).toBe('sin');
    expect(
      first(
        (x) =>
          whileLoop(
            (y: Tensor) => np.less(np.max(y), 5),
            (y) => np.add(f(y), np.add(y, 2)),
            x,
          ),
        ['fwd'],
      ),
    ).toBe('sin');
    expect(
      first((x) =>
        cond(
          np.greater(np.sum(x), 1),
          (y: Tensor) => f(y),
          (y: Tensor) => np.cos(y),
          x,
        ),
      ),
    ).toBe('sin');
    expect(
      first(
        customJvp(
          (x: Tensor) => f(x),
          ([x], [t]) => [f(x), np.mul(t, np.sin(x))],
        ),
      ),
    ).toBe('custom_jvp');
    expect(first((x) => np.sum(checkpoint(f)(x)))).toBe('sin');
    // The body is wrong, the rule is right.
    const repaired = customJvp(
      (x: Tensor) => f(x),
      ([x], [t]) => [f(x), np.mul(t, np.cos(x))],
    );
    expect(first(repaired)).toBe('undefined');
    const back = (factor: number) =>
      customVjp(
        (x: Tensor) => np.square(x),
        (x) => [np.square(x), x],
        (x, ct) => [np.mul(factor, np.mul(x, ct))],
      );
    expect(first(back(3))).toBe('custom_vjp');
    expect(first(back(2))).toBe('undefined');
    const batched = batchingLaw(back(3), args(vector)).run({ seed: 1 });
    expect(batched.failure).toBeNull();
  });

  test('a derivative that is there in one mode only', () => {
    const halving = (x: Tensor) =>
      whileLoop(
        (y: Tensor) => np.greater(np.max(y), 1),
        (y) => np.mul(y, 0.5),
        x,
      );
    expect(gradientLaw(halving, args(vector), { modes: ['fwd'] }).run({ seed: 1 }).failure).toBeNull();
    expect(gradientLaw(halving, args(vector)).run({ seed: 1 }).failure?.why).toMatch(/^threw NotDifferentiableError: /);
  });

  test('a NaN is wrong where there is a derivative; a kink decides nothing', () => {
    const root = (x: Tensor) => np.sqrt(np.sub(x, x));
    expect(reportOf(gradientLaw(root, args(scalar)))).toMatchInlineSnapshot(`
      "root: gradient = central differences: the derivative by vjp is wrong, worst at args[0]: NaN, central differences say 0 (eps 0.00001, rtol 0.00001, atol 1e-7)
        no equation is wrong by itself
        counterexample: [float32[] [0]]
        after 1 case, 1 shrinks; replay with seed 1 and path "0:0""
    `);
    const kink = (x: Tensor) => nn.relu(x);
    expect(gradientLaw(kink, args(vector)).run({ seed: 1 }).failure).toBeNull();
    expect(reportOf(gradientLaw(kink, args(np.array([0, 1]))))).toMatchInlineSnapshot(`
      "kink: gradient = central differences: 100 of 100 cases decide nothing, the first: nothing can be said of the derivative: differences with two steps disagree in every direction that was tried, as near a kink or a pole, or rounding hides the slope of values this large; check at another point or with another eps
        after 100 cases, 100 undecided, 0 shrinks; replay with seed 1"
    `);
  });

  test('a failure is seen again by its seed and path', () => {
    const law = gradientLaw(using(wrongDerivative), args(vector));
    const { failure } = law.run({ seed: 7 });
    const again = law.run({ seed: failure!.seed, path: failure!.path!, runs: 1 });
    expect(again.failure?.counterexample).toBe(failure?.counterexample);
    expect(again.failure?.shrinks).toBe(0);
  });

  test('options that leave nothing to check', () => {
    expect(() => gradientLaw(np.sin, args(scalar), { modes: [] })).toThrow(
      "gradientLaw: modes must be 'fwd', 'rev' or both, got []",
    );
    expect(() => gradientLaw(np.sin, args(scalar), { order: 0 })).toThrow('gradientLaw: order must be 1, 2, …, got 0');
    expect(() => gradientLaw(np.sin, args(scalar), { directions: 0 })).toThrow(
      'gradientLaw: directions must be 1, 2, …, got 0',
    );
    expect(() => gradientLaw(np.sin, args(scalar), { eps: 0 })).toThrow('gradientLaw: eps must be positive, got 0');
    expect(() => gradientLaw(np.sin, args(scalar), { rtol: 1 })).toThrow(/rtol below 1, got 1 and 1e-7/);
  });
});

describe('batchingLaw', () => {
  test('a wrong rule for batches', () => {
    const wrong = (x: Tensor, y: Tensor) => np.mul(x, using(wrongBatches)(y));
    expect(reportOf(batchingLaw(wrong, args(vector, scalar)))).toMatchInlineSnapshot(`
      "wrong: vmap = stack ∘ map: vmap over args[0] (axis 0), args[1] (axis 0): output of lane 0: element [2] is 1, expected 0 (float32[3] [0,0,1] beside float32[3] [0,0,0])
        counterexample: [[[float32[3] [0,0,1],float32[] [0]],[float32[3] [0,0,0],float32[] [0]]],0]
        after 1 case, 7 shrinks; replay with seed 1 and path "0:1:1:2:3:3:0:0""
    `);
  });

  test('a function that cannot be batched', () => {
    const branch = (x: Tensor) => (x.item() > 0 ? x : np.neg(x));
    expect(reportOf(batchingLaw(branch, args(scalar)))).toMatchInlineSnapshot(`
      "branch: vmap = stack ∘ map: vmap over args[0] (axis 0) threw item(): the value of a tracer was asked for: float32[] is one lane of a vmap over 2: it has as many values
        remedy: use np.add, np.greater, np.where, … instead of JS operators; read values outside the transformed function, or pass what decides the program as a static (non-tensor) argument
        at test/function-laws.test.ts:LINE
        counterexample: [[[float32[] [0]],[float32[] [0]]],0]
        after 1 case, 3 shrinks; replay with seed 1 and path "0:0:0:0""
    `);
  });
});

describe('jitLaw', () => {
  test('a function of more than its arguments', () => {
    let calls = 0;
    const counting = (x: Tensor) => np.add(x, ++calls % 2);
    expect(reportOf(jitLaw(counting, args(scalar)))).toMatchInlineSnapshot(`
      "counting: jit = eager: jit: output: element [] is 0, expected 1 (float32[] [0] beside float32[] [1])
        counterexample: [[float32[] [0]],[float32[] [0]]]
        after 1 case, 2 shrinks; replay with seed 1 and path "0:0:0""
    `);
    let largest = 0;
    const remembering = (x: Tensor) => {
      const before = largest;
      if (before === 0) largest = 1;
      return { x, before };
    };
    expect(reportOf(jitLaw(remembering, args(scalar)))).toMatchInlineSnapshot(`
      "remembering: jit = eager: jit: the output is {"before":1,"x":*}, expected {"before":0,"x":*}
        counterexample: [[float32[] [-1.2578125]],[float32[] [0.78125]]]
        after 1 case, 0 shrinks; replay with seed 1 and path "0""
    `);
  });

  test('a function that cannot be traced', () => {
    const branch = (x: Tensor) => (x.item() > 0 ? x : np.neg(x));
    expect(reportOf(jitLaw(branch, args(scalar)))).toMatchInlineSnapshot(`
      "branch: jit = eager: jit threw item(): the value of a tracer was asked for: float32[] is staged by jit(branch): it has no value until the program runs
        remedy: use np.add, np.greater, np.where, … instead of JS operators; read values outside the transformed function, or pass what decides the program as a static (non-tensor) argument
        at test/function-laws.test.ts:LINE
        counterexample: [[float32[] [0]],[float32[] [0]]]
        after 1 case, 2 shrinks; replay with seed 1 and path "0:0:0""
    `);
  });
});

describe('adjointLaw', () => {
  test('a wrong transpose', () => {
    const wrong = (x: Tensor) => np.sum(np.square(using(wrongTranspose)(x)));
    expect(reportOf(adjointLaw(wrong, args(vector)))).toMatchInlineSnapshot(`
      "wrong: vjp is adjoint to jvp: ⟨ct, J t⟩ = -1.1069119, but ⟨Jᵀ ct, t⟩ = 1.1069119
        first wrong equation: neg from test/function-laws.test.ts:LINE, for which ⟨ct, J t⟩ = -0.34598327, but ⟨Jᵀ ct, t⟩ = 0.34598327
        counterexample: [float32[3] [0,0,1]]
        after 1 case, 3 shrinks; replay with seed 1 and path "0:1:1:2""
    `);
  });

  test('a wrong derivative is still a derivative in both modes', () => {
    expect(adjointLaw(using(wrongDerivative), args(vector)).run({ seed: 1 }).failure).toBeNull();
  });

  test('a pole decides nothing', () => {
    const pole = (x: Tensor) => np.log(np.sub(x, x));
    expect(reportOf(adjointLaw(pole, args(scalar)))).toMatch(
      /100 of 100 cases decide nothing, the first: the derivative is not finite/,
    );
  });
});

describe('arguments', () => {
  const shrunk = <T>(arbitrary: fc.Arbitrary<T>, fails: (x: T) => boolean): T => {
    const result = fc.check(
      fc.property(arbitrary, (x) => !fails(x)),
      { seed: 3 },
    );
    return result.counterexample![0];
  };
  const elements = (n: number) => readable(-2, 2)('float32', n);

  test('elements are of the domain, and shrink to numbers that people read', () => {
    const seen = fc.sample(elements(50), { seed: 1, numRuns: 50 }).flat();
    expect(seen.every((x) => Math.abs(x) <= 2 && Number.isInteger(x * 256))).toBe(true);
    expect(new Set(seen).size).toBeGreaterThan(500);
    expect(shrunk(elements(4), (xs) => xs.some((x) => x > 0.3))).toEqual([0, 0, 0, 1]);
    expect(shrunk(elements(4), (xs) => xs[2]! < -0.3)).toEqual([0, 0, -1, 0]);
    expect(shrunk(elements(2), (xs) => xs[0]! > 0.2 && xs[0]! < 0.9)).toEqual([0.5, 0]);
    expect(shrunk(elements(3), (xs) => xs[0]! !== xs[1]! && xs[1]! !== xs[2]! && xs[0]! !== xs[2]!)).toEqual(
      expect.arrayContaining([0, 1]),
    );
    // A tensor of many elements is reduced by halves.
    expect(shrunk(elements(1000), (xs) => xs.slice(500).some((x) => x !== 0)).filter((x) => x !== 0)).toHaveLength(16);
  });

  test('whole numbers, flags and unsigned ones stay in bounds', () => {
    const all = (...specification: Parameters<typeof tensorOf>) =>
      fc.sample(tensorOf(...specification), { seed: 1, numRuns: 100 }).flatMap((x) => Array.from(x.data));
    expect([...new Set(all(makeAval([3], 'int32'), between(-1, 1)))].sort()).toEqual([-1, 0, 1]);
    expect([...new Set(all(makeAval([3], 'uint32'), readable(-2, 2)))].sort()).toEqual([0, 1, 2]);
    expect([...new Set(all(makeAval([3], 'bool'), readable(-2, 2)))].sort()).toEqual([0, 1]);
    expect([...new Set(all(makeAval([3], 'float32'), between(1, 2)))].sort()).toEqual([1, 2]);
    expect(() => between(2, 1)('int32', 3)).toThrow('elements of int32 from 2 to 1: there are none');
    expect(() => readable(-2, -1)('uint32', 3)).toThrow('elements of uint32 from -2 to -1: there are none');
  });

  test('trees, statics, constants and arbitraries', () => {
    const [drawn] = fc.sample(
      args({ w: [vector], act: 'tanh' }, np.ones([2]), fc.constantFrom('a', 'b'), np.zeros([5, 5])),
      { seed: 1, numRuns: 1 },
    );
    const [tree, ones, letter, large] = drawn!;
    expect(tree.w[0].shape).toEqual([3]);
    expect([tree.act, 'ab'.includes(letter)]).toEqual(['tanh', true]);
    expect(fc.stringify([ones, large])).toBe('[float32[2] [1,1],float32[5,5] (as given)]');
    expect(() => args(new Map())).toThrow(/args: an instance of Map is no specification/);
  });
});
