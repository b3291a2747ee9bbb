/** Long sides of selects, computed only where a lane wants them: the same values, and the same kernels otherwise. */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runKernel } from '../../backends/loop/interpret.ts';
import { type Buffer, compare, type Expr, index, int, load, op, select } from '../../backends/loop/ir/expr.ts';
import type { Kernel, LoopRole, Stmt } from '../../backends/loop/ir/kernel.ts';
import { math } from '../../backends/loop/math/index.ts';
import { type Branch, branchesOf } from '../../backends/wasm/emit/rare.ts';
import { compile } from './harness.ts';

const runs = Number(process.env['LAWS'] ?? 100);
const length = 21;
const buffer = (name: string, dtype: 'int32' | 'float32' = 'int32'): Buffer => ({
  name,
  dtype,
  kind: 'operand',
  size: int(length),
});
const [x, y, first, second] = [buffer('x'), buffer('y'), buffer('first'), buffer('second')];

/** Operations on a and b that no simplification shortens. */
function long(a: Expr, b: Expr, count: number, seed: number): Expr {
  let value = a;
  for (let i = 0; i < count; i++) value = op('mul', op('xor', op('add', value, b), int(seed + i)), int(2 * i + 3));
  return value;
}

interface Step {
  readonly kind: 'select' | 'long' | 'add';
  readonly condition: number;
  readonly a: number;
  readonly b: number;
}

/** Each step takes values of those before it, so that sides are nested, shared, and need each other across conditions. */
function kernelOf(steps: readonly Step[], role: LoopRole): Kernel {
  const i = { name: 'i', extent: int(length) };
  const [u, v] = [load(x, index(i)), load(y, index(i))];
  const conditions = [
    compare('lt', u, int(0)),
    compare('gt', op('add', u, v), int(3)),
    compare('eq', load(y, int(0)), int(1)),
  ];
  const pool: Expr[] = [u, v];
  steps.forEach(({ kind, condition, a, b }, n) => {
    const [from, to] = [pool[pool.length - 1 - (a % pool.length)]!, pool[pool.length - 1 - (b % pool.length)]!];
    if (kind === 'add') pool.push(op('add', from, to));
    else if (kind === 'long') pool.push(long(from, to, 15, 100 * n));
    else pool.push(select(conditions[condition]!, from, to));
  });
  const store = (to: Buffer, value: Expr): Stmt => ({ kind: 'store', buffer: to, at: index(i), value });
  const last = pool.at(-1)!;
  const body = [store(first, last), store(second, op('xor', last, pool.at(-3) ?? u))];
  return {
    name: 'f',
    operands: [x, y, first, second],
    scratch: [],
    sizes: 0,
    body: [{ kind: 'loop', index: i, role, body }],
  };
}

const branchesIn = ({ body }: Kernel): readonly Branch[] => {
  const [loop] = body;
  if (loop?.kind !== 'loop') return [];
  const all = loop.body.flatMap((stmt) => [...branchesOf(stmt).values()].flatMap((sides) => [...sides.values()]));
  return [...new Set(all)];
};

const step = fc.record({
  kind: fc.constantFrom<Step['kind']>('select', 'select', 'long', 'long', 'add'),
  condition: fc.nat(2),
  a: fc.nat(4),
  b: fc.nat(4),
});
const few = fc.array(fc.constantFrom(-7, 0, 1, 2, 9), { minLength: length, maxLength: length });
const none = fc.constant(new Array<number>(length).fill(1));

describe('sides of selects', () => {
  it('are computed where a lane wants them, and nothing else changes', () => {
    let met = 0;
    const roles = fc.constantFrom<LoopRole>('vector', 'parallel');
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 4, maxLength: 14 }),
        roles,
        fc.oneof(few, none),
        fc.oneof(few, none),
        (steps, role, xs, ys) => {
          const kernel = kernelOf(steps, role);
          met += branchesIn(kernel).length;
          const operands = [xs, ys, xs, ys].map((array) => Int32Array.from(array));
          const expected = operands.map((array) => array.slice());
          runKernel(kernel, expected);
          expect(compile(kernel).run(operands)).toEqual(expected);
        },
      ),
      { numRuns: runs },
    );
    expect(met).toBeGreaterThan(runs / 2);
  });

  it('are one branch of all that a large angle needs', () => {
    const i = { name: 'i', extent: int(length) };
    const angles = buffer('x', 'float32');
    for (const name of ['sin', 'cos', 'tan'] as const) {
      const value = math[name]!([load(angles, index(i))], {} as never);
      const sides = branchesOf({ kind: 'local', local: { name: 'v', dtype: 'float32' }, value });
      const branches = new Set([...sides.values()].flatMap((of) => [...of.values()]));
      expect(branches.size).toBe(1);
      const [{ wanted, values, only }] = [...branches] as [Branch];
      expect(wanted).toBe(true);
      expect(values).toHaveLength(3);
      expect(only.size).toBeGreaterThan(120);
    }
  });
});
