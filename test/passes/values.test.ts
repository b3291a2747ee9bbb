/** No pass changes a bit: random programs on special values, with float32 rounded and unrounded. */

import 'pullback';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkJaxpr } from '../../src/core/check.ts';
import { eqJaxpr } from '../../src/core/hash.ts';
import { countEqns, inAvals, type Jaxpr, outAvals } from '../../src/core/jaxpr.ts';
import {
  cse,
  dce,
  fold,
  folding,
  inline,
  optimize,
  rewrite,
  simplifications,
  simplify,
} from '../../transforms/passes/index.ts';
import { difference, interpret, precisions, specialInputs } from './interpret.ts';
import { arbitraryProgram, renamed } from './programs.ts';

const passes: Readonly<Record<string, (jaxpr: Jaxpr) => Jaxpr>> = { inline, simplify, fold, cse, dce, optimize };

function expectSameProgram(before: Jaxpr, after: Jaxpr): void {
  checkJaxpr(after);
  expect(inAvals(after)).toEqual(inAvals(before));
  expect(outAvals(after)).toEqual(outAvals(before));
  for (const precision of precisions) {
    for (let turn = 0; turn < 3; turn++) {
      const ins = specialInputs(before, turn, precision);
      expect(difference(interpret(before, ins, precision), interpret(after, ins, precision))).toBeNull();
    }
  }
}

describe.each(Object.entries(passes))('%s', (_, pass) => {
  test('preserves every bit', () => {
    fc.assert(
      fc.property(arbitraryProgram, (jaxpr) => expectSameProgram(jaxpr, pass(jaxpr))),
      { numRuns: 300 },
    );
  });
});

test('every rewrite applies somewhere in the random programs', () => {
  const applied = new Set<string>();
  fc.assert(
    fc.property(arbitraryProgram, (jaxpr) => {
      const body = cse(inline(jaxpr));
      for (const rule of [...simplifications, folding]) if (rewrite(body, [rule]) !== body) applied.add(rule.name);
    }),
    { numRuns: 2000, seed: 1 },
  );
  const missing = simplifications.map(({ name }) => name).filter((name) => !applied.has(name));
  expect(missing).toEqual([]);
});

test('optimize ends where no pass finds anything', () => {
  fc.assert(
    fc.property(arbitraryProgram, (jaxpr) => {
      const done = optimize(jaxpr);
      for (const pass of [inline, simplify, fold, cse, dce]) expect(pass(done)).toBe(done);
      expect(countEqns(done)).toBeLessThanOrEqual(countEqns(inline(jaxpr)));
    }),
    { numRuns: 300 },
  );
});

test('passes see structure, not names', () => {
  fc.assert(
    fc.property(arbitraryProgram, (jaxpr) => {
      expect(eqJaxpr.equals(optimize(renamed(jaxpr)), optimize(jaxpr))).toBe(true);
    }),
    { numRuns: 100 },
  );
});
