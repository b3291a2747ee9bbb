/** Which element of each window is extreme, and what is moved from there or to there. */

import type { SelectParams } from '../../../src/prim/window.ts';
import { apply, constant, type Expr, int, type Local, load, op, select, read as value } from '../ir/expr.ts';
import { flat } from '../ir/integer.ts';
import type { Stmt } from '../ir/kernel.ts';
import { windowed } from '../lower/reductions.ts';
import { axesOf, fill, loops, type Site, type Write } from './kernel.ts';
import { beats } from './lines.ts';

/** Finds the extreme element of window `o` of the second operand: its address, −1 in a window without elements. */
function extreme({ ins, params, read }: Site<SelectParams>, o: readonly Expr[]) {
  const x = ins[1]!;
  const best: Local = { name: 'best', dtype: x.dtype };
  const found: Local = { name: 'found', dtype: 'int32' };
  const { indices, at: k } = axesOf(params.windowDimensions);
  const { at, inside } = windowed(params, x.shape, o, k);
  const element = read(1, at, inside);
  const first = apply('lt', 'bool', value(found), int(0));
  const better = apply('or', 'bool', first, beats(element, value(best), params.select === 'ge'));
  const taken: Local = { name: 'taken', dtype: 'bool' };
  const statements: readonly Stmt[] = [
    { kind: 'local', local: best, value: constant(0, x.dtype) },
    { kind: 'local', local: found, value: int(-1) },
    ...loops(indices, 'serial', [
      { kind: 'local', local: taken, value: inside ? apply('and', 'bool', inside, better) : better },
      { kind: 'assign', local: found, value: select(value(taken), flat(at, x.shape), value(found)) },
      { kind: 'assign', local: best, value: select(value(taken), element, value(best)) },
    ]),
  ];
  return { statements, found: value(found), any: apply('ge', 'bool', value(found), int(0)) };
}

export const selectAndGatherAdd: Write<SelectParams> = (site) => {
  const { ins, out, read, target } = site;
  const { indices, at } = axesOf(out.shape);
  if (ins[1]!.size === 0) {
    return { start: [], rest: fill(target, out.size, () => constant(0, out.dtype)), updates: null };
  }
  const { statements, found, any } = extreme(site, at);
  const moved = read(
    0,
    [...ins[0]!.shape.slice(1).map(() => int(0)), found].slice(0, Math.max(1, ins[0]!.shape.length)),
    any,
  );
  const element = moved.op === 'load' ? load(moved.buffer, found, any) : moved;
  const rest = loops(indices, 'parallel', [
    ...statements,
    { kind: 'store', buffer: target, at: flat(at, out.shape), value: select(any, element, constant(0, out.dtype)) },
  ]);
  return { start: [], rest, updates: null };
};

export const selectAndScatterAdd: Write<SelectParams> = (site) => {
  const { ins, out, read, target } = site;
  const windows = ins[0]!.shape;
  const { indices, at } = axesOf(windows);
  const start = fill(target, out.size, () => constant(0, out.dtype));
  if (ins[0]!.size === 0 || out.size === 0) return { start, rest: [], updates: null };
  const { statements, found, any } = extreme(site, at);
  const sum = op('add', load(target, found), read(0, at));
  const body: readonly Stmt[] = [
    ...statements,
    { kind: 'if', condition: any, body: [{ kind: 'store', buffer: target, at: found, value: sum }] },
  ];
  // Windows of one place meet others on other axes only.
  const isApart = indices.map((_, axis) => site.massive && site.params.windowDimensions[axis] === 1);
  const inner = loops(
    indices.map((x, axis) => (isApart[axis] ? null : x)),
    'serial',
    body,
  );
  const rest = loops(
    indices.map((x, axis) => (isApart[axis] ? x : null)),
    'parallel',
    inner,
  );
  return { start, rest, updates: null };
};
