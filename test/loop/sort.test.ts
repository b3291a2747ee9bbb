/** The sorting network on rows longer than the laws', against the stable sort of JavaScript. */

import { lax, np, type Tensor } from 'pullback';
import { describe, expect, it } from 'vitest';
import { decomposing } from '../../backends/loop/decompose/index.ts';
import { stages } from '../../backends/loop/decompose/sort.ts';

/** Small numbers with many ties, now and then NaN. */
const row = (length: number): readonly number[] =>
  Array.from({ length }, (_, i) => (i % 11 === 5 ? Number.NaN : (i * 7919) % 13));

describe('the network of sort', () => {
  it('sorts every length, stably, NaN last', () => {
    for (let length = 0; length <= 40; length++) {
      const keys = row(length);
      const [sorted, order] = decomposing(['sort'], () =>
        lax.sort([np.array(keys), np.arange(length)] as const),
      ) as readonly Tensor[];
      const wanted = keys.map((_, i) => i).sort((i, j) => rank(keys[i]!) - rank(keys[j]!) || i - j);
      expect(order!.toArray(), `length ${length}`).toEqual(wanted);
      expect(sorted!.toArray()).toEqual(wanted.map((i) => keys[i]));
    }
  });

  it('has ½ log²n steps', () => {
    expect([2, 4, 8, 16, 1000, 1024].map((n) => stages(n).length)).toEqual([1, 3, 6, 10, 55, 55]);
  });
});

const rank = (x: number): number => (Number.isNaN(x) ? Number.POSITIVE_INFINITY : x);
