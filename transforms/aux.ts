/** Functions that return `[output, aux]`: the output is differentiated, what is extra is carried along. */

import { TreeError } from '../src/core/errors.ts';
import { expectOptions } from '../src/core/untyped.ts';
import type { Value } from '../src/core/value.ts';
import type { TreeDef } from '../src/tree/def.ts';
import { unflatten } from '../src/tree/tree.ts';
import { flatFunction } from './args.ts';

/** An option of transforms of functions that return more than what is differentiated. */
export interface AuxOptions<Aux extends boolean = boolean> {
  /** True if the function returns `[output, aux]`, of which aux is carried along undifferentiated; default false. */
  readonly hasAux?: Aux;
}

/** Whether there is an aux, from options that hold nothing else. @throws DTypeError if they do */
export function hasAuxIn(op: string, options: AuxOptions): boolean {
  expectOptions(op, options, 'hasAux');
  return options.hasAux ?? false;
}

/** A function of leaves. What follows is known after it ran. */
export interface FunctionWithAux {
  /** The leaves of the output, then those of aux. */
  readonly flat: (...leaves: readonly Value[]) => readonly Value[];
  /** The structure of the output, without aux. */
  outDef(): TreeDef;
  /** The part of a list, one for each leaf, that is the output's. */
  main<T>(all: readonly T[]): readonly T[];
  /** `[aux]`, to be appended to a result; nothing without aux. */
  rest(all: readonly Value[]): readonly unknown[];
}

/** {@link flatFunction} of a function that may return aux. @throws TreeError, when run, unless it then returns a pair */
export function functionWithAux<A extends readonly unknown[], R>(
  op: string,
  f: (...args: A) => R,
  def: TreeDef,
  hasAux: boolean,
): FunctionWithAux {
  const { flat, outDef } = flatFunction(op, f, def);
  if (!hasAux) return { flat, outDef, main: (all) => all, rest: () => [] };
  const parts = (): readonly [TreeDef, TreeDef] => {
    const whole = outDef();
    if (whole.kind === 'array' && whole.children.length === 2) return [whole.children[0]!, whole.children[1]!];
    throw new TreeError({
      op,
      problem: `with hasAux the function must return [output, aux], got the tree ${whole.key}`,
      remedy: 'return an array of two, or leave hasAux out',
    });
  };
  return {
    flat: (...leaves) => {
      const outs = flat(...leaves);
      parts();
      return outs;
    },
    outDef: () => parts()[0],
    main: (all) => all.slice(0, parts()[0].size),
    rest: (all) => [unflatten<unknown>(parts()[1], all.slice(parts()[0].size))],
  };
}
