/** Statements: sequences, branches, loops, and what moves whole ranges of memory. */

import { type Code, get, i32, set } from './instructions.ts';

export const nothing: Code = () => {};

export const sequence =
  (...parts: readonly Code[]): Code =>
  (out) => {
    for (const part of parts) part(out);
  };

/** `if (condition) { consequent } else { alternative }`. */
export const when =
  (condition: Code, consequent: Code, alternative?: Code): Code =>
  (out) => {
    condition(out);
    out.u8(0x04).u8(0x40);
    consequent(out);
    if (alternative) {
      out.u8(0x05);
      alternative(out);
    }
    out.u8(0x0b);
  };

/** A block that {@link breakIf} leaves, numbered from the innermost. */
export const block =
  (body: Code): Code =>
  (out) => {
    out.u8(0x02).u8(0x40);
    body(out);
    out.u8(0x0b);
  };

/** A loop whose beginning {@link breakIf} goes back to. */
export const loop =
  (body: Code): Code =>
  (out) => {
    out.u8(0x03).u8(0x40);
    body(out);
    out.u8(0x0b);
  };

/** Leave `depth` blocks further out (or go on with a loop there) if the condition holds. */
export const breakIf =
  (condition: Code, depth: number): Code =>
  (out) => {
    condition(out);
    out.u8(0x0d).u32(depth);
  };

/** Leave `depth` blocks further out (or go on with a loop there). */
export const breakTo =
  (depth: number): Code =>
  (out) => {
    out.u8(0x0c).u32(depth);
  };

/** Leave the function; `value` if it has a result. */
export const leave =
  (value: Code = nothing): Code =>
  (out) => {
    value(out);
    out.u8(0x0f);
  };

/** `do { body } while (condition)`. */
export const doWhile = (body: Code, condition: Code): Code => loop(sequence(body, breakIf(condition, 0)));

export const whileDo = (condition: Code, body: Code): Code => when(condition, doWhile(body, condition));

/** `for (local = from; local < to; local += step)`, of signed integers. */
export const countUp = (local: number, from: Code, to: Code, step: number, body: Code): Code =>
  sequence(
    set(local, from),
    whileDo(i32.ltS(get(local), to), sequence(body, set(local, i32.add(get(local), i32.const(step))))),
  );

export const memoryFill =
  (address: Code, byte: Code, count: Code): Code =>
  (out) => {
    address(out);
    byte(out);
    count(out);
    out.u8(0xfc).u32(11).u8(0);
  };

export const memoryCopy =
  (to: Code, from: Code, count: Code): Code =>
  (out) => {
    to(out);
    from(out);
    count(out);
    out.u8(0xfc).u32(10).u8(0).u8(0);
  };
