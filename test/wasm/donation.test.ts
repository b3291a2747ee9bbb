/** Runs that are given operands for good: the same bits as without, in less memory, and nothing that is used elsewhere is touched. */
import * as fc from 'fast-check';
import { cond, jit, nn, np, optim, scan, setDefaultDevice, type Tensor, train, valueAndGrad } from 'pullback';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { plan } from '../../backends/loop/plan/plan.ts';
import { wasmDevice } from '../../backends/wasm/device.ts';
import type { LinearMemory } from '../../backends/wasm/memory.ts';
import type { Device } from '../../src/core/backend.ts';
import { DonatedTensorError } from '../../src/core/errors.ts';
import { constsAsInputs } from '../../src/core/jaxpr.ts';
import { makeJaxpr } from '../../transforms/index.ts';
import { optimize } from '../../transforms/passes/index.ts';

const device = wasmDevice({ budget: 256 * 2 ** 20 }) as Device & { readonly memory: LinearMemory };
const runs = Number(process.env['DONATION_RUNS'] ?? 25);
const seed = Number(process.env['LAWS_SEED'] ?? 6);
let before: Device | null = null;
beforeAll(() => {
  before = setDefaultDevice(device);
});
afterAll(() => {
  setDefaultDevice(before);
});

const matrix = (rows: number, columns: number, by: number): Tensor =>
  np.sin(np.mul(np.reshape(np.arange(rows * columns, { dtype: 'float32' }), [rows, columns]), by)) as Tensor;

const donorsOf = (f: (...args: Tensor[]) => unknown, ...args: Tensor[]): readonly (readonly number[])[] =>
  plan(optimize(constsAsInputs(makeJaxpr(f as (...args: Tensor[]) => Tensor)(...args).jaxpr)), { buffers: 48 }).donors;

describe('which results may lie where inputs are', () => {
  const x = matrix(64, 64, 0.1);
  it('elementwise, at the same index', () => {
    expect(donorsOf((a, b) => np.add(np.mul(a, 2), b), x, x)).toEqual([[0, 1]]);
    expect(donorsOf((a, b) => np.add(np.transpose(a), b), x, x)).toEqual([[1]]);
    expect(donorsOf((a) => np.add(np.flip(a, 0), a), x)).toEqual([[]]);
  });
  it('not what is read again', () => {
    expect(donorsOf((a) => [np.add(a, 1), np.matmul(a, a)], x)[0]).toEqual([]);
  });
  it('not the operands of a product, nor what is read beside it by what lies where it is computed', () => {
    expect(donorsOf((a, b) => np.tanh(np.matmul(a, b)), x, x)).toEqual([[]]);
    expect(donorsOf((a, b) => np.add(a, np.matmul(a, b)), x, x)).toEqual([[]]);
    expect(donorsOf((a, b, c) => np.add(c, np.matmul(a, b)), x, x, x)).toEqual([[]]);
    const beside = (u: Tensor, y: Tensor): Tensor[] => [y, np.add(u, y)];
    expect(donorsOf((a, b, c) => beside(c, np.matmul(a, b)), x, x, x)).toEqual([[], [2]]);
    expect(donorsOf((a, b) => beside(a, np.matmul(a, b)), x, x)).toEqual([[], []]);
  });
  it('other forms, not', () => {
    expect(donorsOf((a) => np.sum(a, 0), x)).toEqual([[]]);
  });
  it('the state of a loop, and what is passed through', () => {
    expect(
      donorsOf(
        (a, xs) => scan((c: Tensor, y: Tensor) => [np.add(np.flip(c, 0), y), null], a, xs)[0],
        x,
        matrix(5, 64, 1),
      ),
    ).toEqual([[0]]);
    expect(donorsOf((a, b) => [a, np.add(b, 1)], x, x)).toEqual([[0], [1]]);
  });
  it('inputs that were read before, and those never read', () => {
    const [first, second] = donorsOf((a, b, _c) => [np.cumsum(np.sort(a, 0), 1), np.matmul(b, b)], x, x, x);
    expect([...first!, ...second!]).toContain(2);
  });
});

/** Programs of a tree of matrices. */
const programs: Record<string, (a: Tensor, b: Tensor, c: Tensor) => readonly Tensor[]> = {
  elementwise: (a, b, c) => [np.add(np.mul(a, b), c), np.sub(c, a), np.sin(b)],
  swapped: (a, b, c) => [b, c, a],
  shifted: (a, b, c) => [np.roll(a, 1, 0), np.add(np.transpose(b), c), np.add(np.flip(c, 1), b)],
  products: (a, b, c) => {
    const y = np.matmul(a, b);
    return [np.add(c, y), np.sub(np.mul(a, 0.5), np.mul(y, c)), np.add(b, np.matmul(y, c))];
  },
  rows: (a, b, c) => [nn.softmax(a), np.sub(b, np.mean(b, 1, { keepdims: true })), np.add(c, np.sum(b, 0))],
  loop: (a, b, c) => {
    const [last, ys] = scan(
      (s: Tensor, row: Tensor) => [np.add(np.flip(s, 0), np.mul(row, 0.25)), np.mean(s, 0)],
      a,
      b,
    );
    return [last, ys, np.add(c, last)];
  },
  reused: (a, b, c) => [np.cumsum(a, 0), np.sort(np.add(a, b), 1), np.matmul(c, np.add(a, b))],
};

const bitsOf = (x: Tensor): number[] => [...new Uint32Array((x.dataSync() as Float32Array).slice().buffer)];

describe('the bits are those of a run that is given nothing', () => {
  for (const [name, f] of Object.entries(programs)) {
    it(name, () => {
      const plain = jit(f);
      for (const given of [[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]]) {
        const donating = jit(f, { donateArgnums: given });
        const make = (): [Tensor, Tensor, Tensor] => [matrix(48, 48, 0.3), matrix(48, 48, 0.7), matrix(48, 48, 1.1)];
        const [mine, theirs] = [make(), make()];
        const want = plain(...mine).map(bitsOf);
        expect(donating(...theirs).map(bitsOf)).toEqual(want);
        theirs.forEach((x, i) => {
          if (given.includes(i)) expect(() => x.dataSync()).toThrow(DonatedTensorError);
          else expect(bitsOf(x)).toEqual(bitsOf(mine[i]!));
        });
      }
    });
  }

  it('an operand twice, a constant that is an argument too, and a tensor of another device', () => {
    const f = (a: Tensor, b: Tensor): Tensor => np.add(np.mul(a, 2), np.flip(b, 0));
    const x = matrix(48, 48, 0.3);
    const want = bitsOf(jit(f)(x, x));
    expect(bitsOf(jit(f, { donateArgnums: 0 })(matrix(48, 48, 0.3), x))).toEqual(want);
    const both = matrix(48, 48, 0.3);
    expect(bitsOf(jit(f, { donateArgnums: 0 })(both, both))).toEqual(want);
    const closed = matrix(48, 48, 0.3);
    expect(bitsOf(jit((a: Tensor) => f(a, closed), { donateArgnums: 0 })(closed))).toEqual(want);
  });
});

/** What is done with three matrices, one after the other. */
const steps = {
  add: (a, b) => np.add(np.mul(a, 0.5), b),
  gate: (a, b) => np.mul(np.sub(1, a), np.sin(b)),
  flip: (a, b) => np.add(np.flip(a, 0), b),
  transpose: (a, b) => np.sub(np.transpose(a), b),
  roll: (a) => np.roll(a, 5, 1),
  product: (a, b) => np.mul(np.matmul(a, b), 1 / side),
  residual: (a, b, c) => np.add(c, np.tanh(np.matmul(np.transpose(a), b))),
  row: (a, b) => np.sub(a, np.mean(b, 1, { keepdims: true })),
  column: (a, b) => np.mul(np.sum(np.square(a), 0), np.add(b, 0.1)),
  sort: (a) => np.sort(a, 1),
  same: (a) => a,
  loop: (a, b, c) => scan((s: Tensor, row: Tensor) => [np.add(np.mul(s, c), row), null], a, np.mul(b, 0.5))[0],
  choose: (a, b, c) =>
    cond(
      np.greater(np.sum(a), 0),
      (v: Tensor, w: Tensor) => np.add(v, w),
      (v: Tensor) => np.flip(v, 1),
      b,
      c,
    ),
} satisfies Record<string, (a: Tensor, b: Tensor, c: Tensor) => Tensor>;
const side = 40;

const random = fc.record({
  program: fc.array(
    fc.record({
      op: fc.constantFrom(...(Object.keys(steps) as (keyof typeof steps)[])),
      of: fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2)),
      to: fc.nat(2),
    }),
    { minLength: 1, maxLength: 7, size: 'max' },
  ),
  given: fc.subarray([0, 1, 2], { minLength: 1 }),
  // Which arguments are one tensor.
  args: fc.oneof({ weight: 4, arbitrary: fc.constant([0, 1, 2]) }, { weight: 1, arbitrary: fc.constant([0, 0, 2]) }),
});

test('random programs compute the same whatever they are given', { timeout: 240_000 }, () => {
  let taken = 0;
  const { inherit } = device.memory;
  device.memory.inherit = (storage) => {
    taken += 1;
    return inherit.call(device.memory, storage);
  };
  try {
    fc.assert(
      fc.property(random, ({ program, given, args }) => {
        const f = (...start: Tensor[]): readonly Tensor[] => {
          const state = [...start];
          for (const { op, of, to } of program) {
            const [a, b, c] = of.map((i) => state[i]!) as [Tensor, Tensor, Tensor];
            state[to] = steps[op](a, b, c);
          }
          return state;
        };
        const make = (): Tensor[] => {
          const all = [0.3, 0.7, 1.1].map((by) => matrix(side, side, by));
          return args.map((i) => all[i]!);
        };
        const [mine, theirs] = [make(), make()];
        const want = jit(f)(...mine).map(bitsOf);
        expect(jit(f, { donateArgnums: given })(...theirs).map(bitsOf)).toEqual(want);
        theirs.forEach((x, i) => {
          if (given.some((j) => args[j] === args[i])) expect(() => x.dataSync()).toThrow(DonatedTensorError);
          else expect(bitsOf(x)).toEqual(bitsOf(mine[i]!));
        });
      }),
      { numRuns: runs, seed },
    );
  } finally {
    device.memory.inherit = inherit;
  }
  // It met what it is about.
  expect(taken).toBeGreaterThan(runs);
});

describe('memory', () => {
  it('is what the inputs took, where all results lie there', () => {
    const step = jit((a: Tensor) => np.add(np.mul(a, 0.5), 1), { donateArgnums: 0 });
    let x = step(np.zeros([512, 512]));
    const { resident, blocks } = device.memory.live;
    const peak = peakOf(() => {
      for (let i = 0; i < 10; i++) x = step(x);
    });
    expect(peak).toBe(resident);
    expect(device.memory.live.blocks).toBe(blocks);
    expect(x.dataSync()[0]).toBeCloseTo(2, 2);
  });

  it('of a step of Adam is not two copies of parameters and their state', () => {
    const sizes = [128, 256, 256, 256, 128];
    const init = sizes.slice(1).map((n, i) => matrix(sizes[i]!, n, 0.01 * (i + 1)));
    const adam = optim.adam(1e-3);
    type Carry = { readonly params: readonly Tensor[]; readonly state: ReturnType<typeof adam.init> };
    const start: Carry = { params: init, state: adam.init(init) };
    const loss = (params: readonly Tensor[], x: Tensor): Tensor =>
      np.mean(np.square(params.reduce((h, w) => np.tanh(np.matmul(h, w)) as Tensor, x)));
    const step = ({ params, state }: Carry, x: Tensor) => {
      const [value, gradient] = valueAndGrad(loss)(params, x);
      const [updates, next] = adam.update(gradient, state, params);
      return [{ params: optim.applyUpdates(params, updates), state: next }, value] as const;
    };
    const x = matrix(4, 128, 0.5);
    const copy = 3 * 4 * sizes.slice(1).reduce((sum, n, i) => sum + sizes[i]! * n, 0);
    let [peak, between, steps] = [0, 0, 0];
    const stop = watch((bytes) => {
      peak = Math.max(peak, bytes);
    });
    const [last] = train.fold(step, start, [x, x, x, x, x], {
      onStep: () => {
        steps += 1;
        // The first step is given nothing, as the initial carry is the caller's: from the second on.
        if (steps === 1) peak = 0;
        between = device.memory.live.resident;
      },
    });
    stop();
    expect(last.params[0]!.dataSync().every(Number.isFinite)).toBe(true);
    const beside = peak - between;
    expect(beside).toBeLessThan(copy / 2);
  });
});

/** Call `seen` with the bytes of tensors in the memory whenever a run holds what it needs; returns how to stop. */
function watch(seen: (bytes: number) => void): () => void {
  const { memory } = device;
  const { hold } = memory;
  memory.hold = (...args) => {
    const made = hold.apply(memory, args);
    seen(memory.live.resident);
    return made;
  };
  return () => {
    memory.hold = hold;
  };
}

function peakOf(f: () => void): number {
  let peak = 0;
  const stop = watch((bytes) => {
    peak = Math.max(peak, bytes);
  });
  try {
    f();
  } finally {
    stop();
  }
  return peak;
}
