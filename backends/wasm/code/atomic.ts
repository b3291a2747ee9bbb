/** Atomic accesses to shared memory, and waiting for them: sequentially consistent, at aligned addresses. */

import type { Code } from './instructions.ts';

const access =
  (op: number, align: number) =>
  (...operands: readonly Code[]) =>
  (offset = 0): Code =>
  (out) => {
    for (const operand of operands) operand(out);
    out.u8(0xfe).u32(op).u32(align).u32(offset);
  };

export const atomic = {
  load: (address: Code, offset = 0): Code => access(0x10, 2)(address)(offset),
  store: (address: Code, value: Code, offset = 0): Code => access(0x17, 2)(address, value)(offset),
  /** What was there before. */
  add: (address: Code, value: Code, offset = 0): Code => access(0x1e, 2)(address, value)(offset),
  sub: (address: Code, value: Code, offset = 0): Code => access(0x25, 2)(address, value)(offset),
  load64: (address: Code, offset = 0): Code => access(0x11, 3)(address)(offset),
  store64: (address: Code, value: Code, offset = 0): Code => access(0x18, 3)(address, value)(offset),
  /** What was there; replaced if it was what is expected. */
  exchange64: (address: Code, expected: Code, value: Code, offset = 0): Code =>
    access(0x49, 3)(address, expected, value)(offset),
  /** Sleep while the word is what is expected, until it is notified. @param timeout - nanoseconds, i64; −1: none */
  wait: (address: Code, expected: Code, timeout: Code, offset = 0): Code =>
    access(0x01, 2)(address, expected, timeout)(offset),
  /** Wake so many sleepers; how many there were. */
  notify: (address: Code, count: Code, offset = 0): Code => access(0x00, 2)(address, count)(offset),
} as const;
