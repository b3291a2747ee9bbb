/** Fusion and planning: how many kernels programs become, and that they compute what the programs do. */
import { grad, jit, nn, np, optim, setDefaultDevice, type Tensor, wasmDevice, withDefaultDevice } from 'pullback';
import { suites } from 'pullback/laws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plan } from '../../backends/loop/plan/plan.ts';
import { kernelsOf, type Program } from '../../backends/loop/plan/program.ts';
import { printKernel } from '../../backends/loop/print.ts';
import { makeAval } from '../../src/core/aval.ts';
import type { Device } from '../../src/core/backend.ts';
import { constsAsInputs } from '../../src/core/jaxpr.ts';
import { stage } from '../../src/core/stage.ts';
import type { Value } from '../../src/core/value.ts';
import { optimize } from '../../transforms/passes/index.ts';
import { loopMachine } from './machine.ts';

/** The plan of a function of float32 tensors of these shapes. */
function planOf(f: (...args: Tensor[]) => Tensor | readonly Tensor[], ...shapes: number[][]): Program {
  const flat = (...args: readonly Value[]): readonly Value[] => {
    const out = f(...(args as unknown as Tensor[]));
    return (Array.isArray(out) ? out : [out]) as unknown as readonly Value[];
  };
  const { jaxpr } = stage(
    'planOf',
    flat,
    shapes.map((shape) => makeAval(shape, 'float32')),
  );
  return plan(optimize(constsAsInputs(jaxpr)), { buffers: 48 });
}

const kinds = ({ steps }: Program): string => steps.map(({ kind }) => kind).join(' ');

const layerNorm = (x: Tensor): Tensor => {
  const d = np.sub(x, np.mean(x, 1, { keepdims: true }));
  return np.div(d, np.sqrt(np.add(np.mean(np.mul(d, d), 1, { keepdims: true }), 1e-5)));
};

describe('programs as kernels', () => {
  it('softmax, log-softmax and layer norm are one kernel, row by row', () => {
    expect(kinds(planOf((x) => nn.softmax(x), [8, 1024]))).toBe('kernel');
    expect(kinds(planOf((x) => nn.logSoftmax(x), [8, 1024]))).toBe('kernel');
    const program = planOf(layerNorm, [8, 1024]);
    expect(kinds(program)).toBe('kernel');
    expect(printKernel(kernelsOf(program.steps)[0]!)).toMatchInlineSnapshot(`
      "kernel nest0(v0: f32[8192], v1: f32[8192])
      parallel i < 8
        local r0: f32 = 0.0
        local r1: f32 = 0.0
        vector j < 1024
          r0 += v0[i * 1024 + j]
        vector j < 1024
          t0 = v0[i * 1024 + j] - r0 / 1024.0
          r1 += t0 * t0
        vector j < 1024
          v1[i * 1024 + j] = (v0[i * 1024 + j] - r0 / 1024.0) / sqrt(r1 / 1024.0 + 0.00001)"
    `);
  });

  it('a chain of two thousand operations is cut into kernels that stay apart', () => {
    const chain = (x: Tensor): Tensor => {
      let y = x;
      for (let i = 0; i < 1000; i++) y = np.add(np.mul(y, 0.5), 1);
      return y;
    };
    expect(kinds(planOf(chain, [64]))).toBe('kernel kernel kernel kernel kernel');
    const found = withDefaultDevice(wasmDevice(), () => jit(chain)(np.zeros([64])));
    expect(found.toArray()).toEqual(new Array(64).fill(2));
  });

  it('a dense layer with bias and gelu is one step', () => {
    const program = planOf((x, w, b) => nn.gelu(np.add(np.matmul(x, w), b)), [64, 32], [32, 48], [48]);
    expect(kinds(program)).toBe('contract');
    expect(program.arena).toBe(0);
  });

  it('what is computed all along the terms of a product is no epilogue of it', () => {
    const away = (x: Tensor, v: Tensor): Tensor => {
      const along = np.einsum('bij,bj->bi', x, v) as Tensor;
      return np.sub(x, np.mul(np.expandDims(along, 2), np.expandDims(v, 1)));
    };
    const program = planOf(away, [64, 3, 3], [64, 3]);
    expect(kernelsOf(program.steps).every(({ body }) => body.length > 0)).toBe(true);
    expect(kinds(program)).toBe('kernel');
  });

  it('no kernel has more buffers than a machine takes', () => {
    const many = Array.from({ length: 2000 }, () => [2]);
    const stacked = planOf((...xs) => np.stack(xs), ...many);
    const added = planOf((...xs) => xs.reduce((a, b) => np.add(a, b)), ...many.slice(0, 300));
    for (const { steps } of [stacked, added])
      expect(Math.max(...kernelsOf(steps).map(({ operands }) => operands.length))).toBeLessThanOrEqual(48);
  });

  it('the gradient of a product of matrices is two products', () => {
    const f = (x: Tensor, w: Tensor): readonly Tensor[] =>
      grad((x: Tensor, w: Tensor) => np.sum(np.matmul(x, w)), { argnums: [0, 1] })(x, w);
    const loss = (x: Tensor, w: Tensor): readonly Tensor[] =>
      grad((x: Tensor, w: Tensor) => np.sum(np.square(np.matmul(x, w))), { argnums: [0, 1] })(x, w);
    expect(
      kinds(planOf(f, [32, 16], [16, 24]))
        .split(' ')
        .filter((kind) => kind === 'contract').length,
    ).toBeLessThan(3);
    expect(
      kinds(planOf(loss, [32, 16], [16, 24]))
        .split(' ')
        .filter((kind) => kind === 'contract'),
    ).toHaveLength(3);
  });

  it('Adam is one pass over parameters and moments', () => {
    const adam = optim.adam(1e-3);
    const program = planOf(
      (w, g, m, v) => {
        const state = adam.init(w) as unknown;
        const [updates, next] = adam.update(g, withMoments(state, m, v) as never, w);
        return [optim.applyUpdates(w, updates), ...tensorsIn(next)];
      },
      [64, 64],
      [64, 64],
      [64, 64],
      [64, 64],
    );
    const big = kernelsOf(program.steps).filter((kernel) =>
      kernel.operands.some(({ size }) => size.op === 'const' && size.value === 4096),
    );
    expect(big).toHaveLength(1);
  });

  it('an attention head writes no transpose down', () => {
    const program = planOf(
      (q, k, v) => {
        const scores = np.div(np.einsum('bthd,bshd->bhts', q, k), 4);
        return np.einsum('bhts,bshd->bthd', nn.softmax(scores), v);
      },
      [2, 16, 4, 16],
      [2, 16, 4, 16],
      [2, 16, 4, 16],
    );
    expect(kinds(program)).toBe('contract kernel contract');
  });
});

/** The moments of an optimizer's state replaced by tensors that are not known. */
function withMoments(state: unknown, m: Tensor, v: Tensor): unknown {
  const replace = (x: unknown): unknown => {
    if (Array.isArray(x)) return x.map(replace);
    if (typeof x !== 'object' || x === null || 'aval' in x) return x;
    return Object.fromEntries(
      Object.entries(x).map(([key, y]) => [key, key === 'mu' ? m : key === 'nu' ? v : replace(y)]),
    );
  };
  return replace(state);
}

function tensorsIn(x: unknown): Tensor[] {
  if (typeof x !== 'object' || x === null) return [];
  if ('aval' in x) return (x as Tensor).ndim === 2 ? [x as Tensor] : [];
  return Object.values(x).flatMap(tensorsIn);
}

describe('laws, on a machine that runs plans by their meaning', () => {
  let before: Device | null = null;
  beforeAll(() => {
    before = setDefaultDevice(loopMachine());
  });
  afterAll(() => {
    setDefaultDevice(before);
  });
  for (const name of ['programs', 'control']) {
    const suite = suites.find((x) => x.name === name)!;
    for (const law of suite.laws) {
      it(`${name}: ${law.name}`, { timeout: 120_000 }, () => {
        expect(law.check({ runs: 20, seed: 7 }).failure).toBeNull();
      });
    }
  }
});
