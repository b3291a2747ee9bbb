/**
 * Kernels of the Loop IR: loops around assignments and stores, over the buffers that the caller gives.
 *
 * Loops say what they are, and machines take it from there. Turns of a `parallel` loop may run in any order or at once. A
 * `vector` loop is one whose turns are computed several at a time: `accumulate` is all that its turns may share, and it is combined in
 * an order that depends on the extent alone. A `serial` loop is what it says.
 */

import type { Buffer, Expr, Index, Local } from './expr.ts';

export type LoopRole = 'parallel' | 'serial' | 'vector';

/** Associative and commutative; `and` and `or` of booleans. */
export type Combiner = 'add' | 'mul' | 'min' | 'max' | 'and' | 'or';

export type Stmt =
  | { readonly kind: 'loop'; readonly index: Index; readonly role: LoopRole; readonly body: readonly Stmt[] }
  /** A register, born here with a value; it lives to the end of the block. */
  | { readonly kind: 'local'; readonly local: Local; readonly value: Expr }
  | { readonly kind: 'assign'; readonly local: Local; readonly value: Expr }
  /** `local = local ∘ value`; the local starts as the identity, and is read only after the loop that accumulates. */
  | { readonly kind: 'accumulate'; readonly local: Local; readonly combiner: Combiner; readonly value: Expr }
  | { readonly kind: 'store'; readonly buffer: Buffer; readonly at: Expr; readonly value: Expr }
  | { readonly kind: 'if'; readonly condition: Expr; readonly body: readonly Stmt[] };

export interface Kernel {
  readonly name: string;
  /** What the caller passes, in order; an output is a buffer that is stored to. */
  readonly operands: readonly Buffer[];
  readonly scratch: readonly Buffer[];
  /** How many sizes the caller passes. */
  readonly sizes: number;
  readonly body: readonly Stmt[];
}

/** Expressions of a statement itself, without those of the statements in it. */
export function expressions(stmt: Stmt): readonly Expr[] {
  switch (stmt.kind) {
    case 'loop':
      return [stmt.index.extent];
    case 'local':
    case 'assign':
    case 'accumulate':
      return [stmt.value];
    case 'store':
      return [stmt.at, stmt.value];
    case 'if':
      return [stmt.condition];
  }
}

/** The statements directly inside a statement. */
export const inner = (stmt: Stmt): readonly Stmt[] => (stmt.kind === 'loop' || stmt.kind === 'if' ? stmt.body : []);
