/** `einsum` against NumPy's answers and against a loop over all labels; `tensordot` against its definition. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import * as t from 'io-ts';
import { grad, jit, makeJaxpr, np, type Tensor, vjp, vmap } from 'pullback';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { at, build, dense, indices, sizeOf, tensor } from './oracle.ts';

const Cases = t.type({
  einsum: t.array(
    t.type({
      expression: t.string,
      shapes: t.array(t.array(t.number)),
      result: t.array(t.number),
      elements: t.array(t.number),
    }),
  ),
});
const decoded = Cases.decode(
  JSON.parse(readFileSync(new URL('../fixtures/numpy-cases.json', import.meta.url), 'utf8')),
);
if (decoded._tag === 'Left') throw new Error('test/fixtures/numpy-cases.json has another form');

/** Operand k of the fixture. */
const operand = (shape: readonly number[], k: number): Tensor =>
  tensor({ shape, data: Array.from({ length: sizeOf(shape) }, (_, i) => ((7 * i + 3 * k + 1) % 11) - 5) });

describe("NumPy's answers", () => {
  it.each(decoded.right.einsum)('$expression of $shapes', ({ expression, shapes, result, elements }) => {
    const operands = shapes.map(operand);
    const product = np.einsum(expression, ...operands);
    expect(product.shape).toEqual(result);
    expect(dense(product).data.map((x) => x + 0)).toEqual(elements);
    expect(dense(jit((...xs: Tensor[]) => np.einsum(expression, ...xs))(...operands)).data).toEqual(
      dense(product).data,
    );
    // The batch of one operand alone.
    const [first, ...rest] = operands;
    const lanes = vmap((x: Tensor) => np.einsum(expression, x, ...rest))(np.stack([first!, np.neg(first!)]));
    expect(dense(lanes).data.map((x) => x + 0)).toEqual([...elements, ...elements.map((x) => -x + 0)]);
  });

  it.each(decoded.right.einsum)('is linear in each operand: $expression', ({ expression, shapes }) => {
    const operands = shapes.map(operand);
    const [out, pull] = vjp((...xs: Tensor[]) => np.einsum(expression, ...xs), operands);
    const ct = operand(out.shape, 7);
    const inner = (a: Tensor, b: Tensor): number => np.sum(np.mul(a, b)).item() + 0;
    // ⟨ct, einsum(x)⟩ = ⟨pulled, x⟩, all of it in small integers.
    for (const [k, pulled] of pull(ct).entries()) expect(inner(pulled, operands[k]!)).toBe(inner(ct, out));
  });
});

describe('the definition', () => {
  const labels = ['i', 'j', 'k', 'l'] as const;
  const expressions = fc
    .tuple(
      fc.array(fc.array(fc.constantFrom(...labels), { maxLength: 3 }), { minLength: 1, maxLength: 4 }),
      fc.tuple(
        fc.integer({ min: 1, max: 3 }),
        fc.nat({ max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 2 }),
      ),
    )
    .chain(([terms, lengths]) => {
      const used = labels.filter((label) => terms.flat().includes(label));
      return fc.tuple(fc.constant(terms), fc.shuffledSubarray([...used]), fc.constant(lengths));
    });

  it('sums the product over all labels that the result lacks', () => {
    fc.assert(
      fc.property(expressions, ([terms, output, lengths]) => {
        const lengthOf = (label: string): number => lengths[labels.indexOf(label as 'i')]!;
        const operands = terms.map((term, k) => operand(term.map(lengthOf), k));
        const found = np.einsum(`${terms.map((term) => term.join('')).join(', ')} -> ${output.join('')}`, ...operands);
        const used = labels.filter((label) => terms.flat().includes(label));
        const summed = used.filter((label) => !output.includes(label));
        const expected = build(output.map(lengthOf), (index) => {
          let sum = 0;
          for (const rest of indices(summed.map(lengthOf))) {
            const value = (label: string): number =>
              output.includes(label as 'i')
                ? index[output.indexOf(label as 'i')]!
                : rest[summed.indexOf(label as 'i')]!;
            sum += terms.reduce((product, term, k) => product * at(dense(operands[k]!), term.map(value)), 1);
          }
          return sum;
        });
        expect(found.shape).toEqual(expected.shape);
        expect(dense(found).data.map((x) => x + 0)).toEqual(expected.data.map((x) => x + 0));
      }),
      { numRuns: 200 },
    );
  });

  it('contracts a chain from its cheap end', () => {
    const [a, b, c] = [np.zeros([100, 100]), np.zeros([100, 100]), np.zeros([100, 1])];
    const { jaxpr } = makeJaxpr((x: Tensor, y: Tensor, z: Tensor) => np.einsum('ij,jk,kl->il', x, y, z))(a, b, c);
    const sizes = jaxpr.eqns.filter((eqn) => eqn.primitive.name === 'dot_general').map((eqn) => eqn.outs[0]!.aval.size);
    expect(sizes).toEqual([100, 100]);
  });

  it('a matrix product is one contraction, and a transposed operand costs nothing', () => {
    const names = (expression: string): string[] =>
      makeJaxpr((x: Tensor, y: Tensor) => np.einsum(expression, x, y))(
        np.zeros([3, 3]),
        np.zeros([3, 3]),
      ).jaxpr.eqns.map((eqn) => eqn.primitive.name);
    expect(names('ij,jk->ik')).toEqual(['dot_general']);
    expect(names('ji,kj->ik')).toEqual(['dot_general']);
    expect(names('ij,jk->ki')).toEqual(['dot_general', 'transpose']);
    expect(names('bi,bi->b')).toEqual(['dot_general']);
  });

  it('promotes, and counts in integers', () => {
    const n = np.array([1, 2, 3], { dtype: 'int32' });
    expect(np.einsum('i,i', n, n).dtype).toBe('int32');
    expect(np.einsum('i,i', n, n).item()).toBe(14);
    expect(np.einsum('i,->i', np.array([1, 2]), 3).toArray()).toEqual([3, 6]);
    expect(np.einsum('i,i->i', n, np.array([0.5, 0.5, 0.5])).toArray()).toEqual([0.5, 1, 1.5]);
    expectTypeOf(np.einsum('i,i->i', n, np.zeros([3]))).toEqualTypeOf<Tensor<'float32'>>();
    expect(() => np.einsum('i->i', np.array([true]))).toThrow('np.einsum');
  });
});

describe('refusals', () => {
  const [a, b] = [np.zeros([2, 3]), np.zeros([3, 2])];
  it.each([
    ['ij,jk,kl', 'has 3 terms for 2 operands'],
    ['ij,j', 'term 1 of'],
    ['ij,ij', 'i has length 2 and, in float32[3,2], 3'],
    ['ij,jk->im', 'the label m of the result'],
    ['ij,jk->ii', 'comes twice'],
    ['i1,jk', 'has 1 where a label should be'],
    ['ij,jk->ik->ik', 'has two arrows'],
    ['......,jk', 'has two ellipses'],
    ['...,jk->jk', '... in the operands only'],
    ['...ijk,jk', 'names 3 axes of float32[2,3]'],
  ])('%s', (expression, message) => {
    expect(() => np.einsum(expression, a, b)).toThrow(message);
  });
});

describe('tensordot', () => {
  it('contracts the last axes with the first, or those that are named', () => {
    const a = operand([2, 3, 4], 0);
    const b = operand([3, 4, 5], 1);
    const sum = (f: (p: number, q: number) => number): number => {
      let total = 0;
      for (let p = 0; p < 3; p++) for (let q = 0; q < 4; q++) total += f(p, q);
      return total;
    };
    const expected = build([2, 5], ([i, j]) => sum((p, q) => at(dense(a), [i!, p, q]) * at(dense(b), [p, q, j!])));
    expect(dense(np.tensordot(a, b))).toEqual(expected);
    expect(
      dense(
        np.tensordot(a, b, [
          [1, 2],
          [0, 1],
        ]),
      ),
    ).toEqual(expected);
    expect(
      dense(
        np.tensordot(a, b, [
          [-1, 1],
          [1, 0],
        ]),
      ),
    ).toEqual(expected);
    expect(np.tensordot(a, b, 0).shape).toEqual([2, 3, 4, 3, 4, 5]);
    expect(np.tensordot(a, b, [[2], [1]]).shape).toEqual([2, 3, 3, 5]);
    expect(np.tensordot(a, 2, 0).toArray()).toEqual(np.mul(a, 2).toArray());
    expect(grad((x: Tensor) => np.sum(np.tensordot(x, b)))(a).shape).toEqual([2, 3, 4]);
  });

  it('refuses what does not fit', () => {
    const [a, b] = [np.zeros([2, 3]), np.zeros([3, 2])];
    expect(() => np.tensordot(a, b)).toThrow('axis 0 of the first is not as long as axis 0 of the second');
    expect(() => np.tensordot(a, b, 3)).toThrow('they do not both have 3 axes');
    expect(() => np.tensordot(a, b, [[0], [0, 1]])).toThrow('1 axes and 2');
    expect(() => np.tensordot(a, b, [[2], [0]])).toThrow('axis 2 is out of range');
  });
});
