/**
 * Elements made of random bits on the host, by integer arithmetic and what IEEE 754 defines to the last bit: the same key gives the
 * same elements on every machine, and element i depends on the key and on i alone.
 */

import { expectKey, type Key } from '../../random/key.ts';
import { bits } from '../../random/samplers.ts';
import { expectCount } from '../counts.ts';
import { type Dataset, make } from '../dataset.ts';

/** Words of random bits, used one after the other. */
export class Chance {
  private readonly words: Uint32Array;
  private used = 0;

  constructor(words: Uint32Array) {
    this.words = words;
  }

  /** A number in [0, 1). */
  unit(): number {
    return this.words[this.used++]! / 2 ** 32;
  }

  /** 0, …, n − 1, each about equally likely. */
  below(n: number): number {
    return Math.floor(this.unit() * n);
  }

  /** A number in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.unit();
  }

  /** One of a list. */
  pick<A>(list: readonly A[]): A {
    return list[this.below(list.length)]!;
  }
}

/** `count` elements, each made of as many words of its own; the words are drawn when the first element is asked for. */
export function drawn<A>(op: string, key: Key, count: number, words: number, build: (chance: Chance) => A): Dataset<A> {
  expectKey(op, key);
  expectCount(op, 'the count', count);
  let all: Uint32Array | null = null;
  return make(count, (i) => {
    all ??= bits(key, [count, words]).dataSync();
    return build(new Chance(all.subarray(i * words, (i + 1) * words)));
  });
}
