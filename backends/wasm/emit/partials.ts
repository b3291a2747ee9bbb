/** What a vector loop accumulates, lane by lane, until its lanes are combined. */

import type { DType } from '../../../src/core/dtype.ts';
import type { Combiner } from '../../loop/ir/kernel.ts';
import { sequence } from '../code/control.ts';
import { type Code, get, i32, i32x4, set, v128 } from '../code/instructions.ts';
import type { Partial, Scope } from './scope.ts';
import { vectorCombine } from './vector.ts';

/** What a combiner starts from: x ∘ identity is x, bit for bit. */
export function identityOf(combiner: Combiner, dtype: DType): number {
  if (combiner === 'and') return dtype === 'bool' ? 1 : -1;
  if (combiner === 'or') return 0;
  if (combiner === 'mul') return 1;
  if (combiner === 'add') return dtype === 'float32' || dtype === 'float64' ? -0 : 0;
  if (dtype === 'bool') return combiner === 'min' ? 1 : 0;
  if (dtype === 'int32') return combiner === 'min' ? 0x7fffffff : -0x80000000;
  if (dtype === 'uint32') return combiner === 'min' ? 0xffffffff : 0;
  return combiner === 'min' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
}

/** A register for each of the vectors that are computed at once, combined as a tree. */
export function sums(before: Scope, combiner: Combiner, dtype: DType, identity: Code, fold: number): Partial {
  const registers = Array.from({ length: fold }, () => before.register('v128'));
  for (const register of registers) before.code.push(set(register, identity));
  return {
    take: (value, u) => set(registers[u]!, vectorCombine(combiner, dtype, get(registers[u]!), value)),
    whole: (block) => {
      let level = registers.map(get);
      while (level.length > 1) {
        const next: Code[] = [];
        for (let i = 0; i < level.length; i += 2) {
          const [a, b] = [level[i]!, level[i + 1]];
          next.push(b ? block.put('v128', vectorCombine(combiner, dtype, a, b)) : a);
        }
        level = next;
      }
      return level[0]!;
    },
  };
}

/**
 * The least or greatest float32, with its NaN and the sign of its zero, in three instructions where the exact one costs eight: floats of
 * one sign are ordered as their bits are. Of all bits the greatest as signed, and the greatest and least as unsigned, are enough.
 */
export function extremes(before: Scope, combiner: 'min' | 'max', identity: Code): Partial {
  const [signed, most, least] = [before.register('v128'), before.register('v128'), before.register('v128')];
  for (const register of [signed, most, least]) before.code.push(set(register, identity));
  return {
    take: (value) =>
      sequence(
        set(signed, i32x4.maxS(get(signed), value)),
        set(most, i32x4.maxU(get(most), value)),
        set(least, i32x4.minU(get(least), value)),
      ),
    whole: (block) => {
      const word = (bits: number): Code => i32x4.splat(i32.const(bits));
      if (combiner === 'max') {
        // All negative: the one whose bits are least. A NaN of negative sign has more bits than −∞, one of positive sign is the greatest.
        const value = v128.bitselect(get(least), get(signed), i32x4.ltS(get(signed), word(0)));
        return block.put('v128', v128.or(value, i32x4.gtU(get(most), word(0xff800000 | 0))));
      }
      const value = v128.bitselect(get(most), get(least), i32x4.ltS(get(most), word(0)));
      return block.put('v128', v128.or(value, i32x4.gtS(get(signed), word(0x7f800000))));
    },
  };
}
