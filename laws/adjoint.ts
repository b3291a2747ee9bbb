/** Both modes of differentiation beside each other, without differences: ⟨ct, J t⟩ = ⟨Jᵀ ct, t⟩. */

import { withDefaultDevice } from '../src/core/backend.ts';
import type { Primals } from '../transforms/args.ts';
import { nothing } from './check-grads.ts';
import { culpritOf, possible } from './culprit.ts';
import {
  directionOf,
  inner,
  pointOf,
  pulled,
  pushed,
  randomNumbers,
  type Subject,
  subjectMatter,
} from './gradients.ts';
import { fails, holds, inconclusive, type Verdict } from './law.ts';
import { lifting } from './lifted.ts';

/** How the two sides are compared. */
export interface AdjointCheck {
  readonly rtol: number;
  readonly directions: number;
  readonly seed: number;
}

/** A check of `f`, for many points. */
export function adjointChecker<A extends readonly unknown[], R>(
  op: string,
  f: (...args: A) => R,
  check: AdjointCheck,
): (primals: Primals) => { readonly verdict: Verdict; readonly traced: boolean } {
  const lifted = lifting(op, f);
  return (primals) => {
    const { subject, traced } = lifted(primals);
    const found = judge(subject, check);
    if (found._tag !== 'Fails') return { verdict: found, traced };
    const culprit = culpritOf(subject, (equation) => {
      const judged = possible(() => judge(equation, check));
      return judged?._tag === 'Fails' ? `for which ${judged.why}` : null;
    });
    return { verdict: fails(`${found.why}\n  ${culprit}`), traced };
  };
}

function judge(subject: Subject, { rtol, directions, seed }: AdjointCheck): Verdict {
  const next = randomNumbers(seed);
  return withDefaultDevice(subject.device, (): Verdict => {
    const { points, cotangents } = pointOf(subject, next);
    if (subjectMatter(subject) === 'nothing') return inconclusive(nothing);
    const pulledBack = pulled(subject, points, cotangents);
    for (let i = 0; i < directions; i++) {
      const direction = directionOf(subject, next);
      const forward = inner(pushed(subject, points, direction), cotangents);
      const backward = inner(pulledBack, direction);
      const gap = Math.abs(forward.sum - backward.sum);
      if (gap <= rtol * Math.max(forward.largest, backward.largest)) continue;
      if (!Number.isFinite(forward.sum) && !Number.isFinite(backward.sum))
        return inconclusive('the derivative is not finite');
      return fails(`⟨ct, J t⟩ = ${digits(forward.sum)}, but ⟨Jᵀ ct, t⟩ = ${digits(backward.sum)}`);
    }
    return holds;
  });
}

const digits = (x: number): string => `${Number(x.toPrecision(8)) || 0}`;
