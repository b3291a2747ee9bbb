/**
 * Programs from JSON (the format is that of `jaxpr.ts`).
 *
 * What is decoded is taken for hostile: every part has a codec, each equation is typed by its own primitive as soon as it is
 * read, and decoding ends at the first part that is wrong, whose path the error carries (`programs[0].eqns[3].params.axes`).
 * Programs nest by reference to earlier ones, so nothing recurses; how deep calls go and how many equations they stand for
 * once expanded is bounded, because that is what printing, hashing and compiling a program take.
 */

import * as E from 'fp-ts/lib/Either.js';
import * as t from 'io-ts';
import { type Aval, sameAval, showAval } from '../core/aval.ts';
import { checkJaxpr } from '../core/check.ts';
import { allocate, integerRange } from '../core/dtype.ts';
import { PullbackError } from '../core/errors.ts';
import { type Atom, type ClosedJaxpr, type Eqn, type Jaxpr, makeLiteral, makeVar, type Var } from '../core/jaxpr.ts';
import type { Primitive } from '../core/primitive.ts';
import { type Tensor, tensorFrom } from '../core/value.ts';
import { avalCodec, lengthCodec } from './aval.ts';
import { type DecodeErrors, decodeAt, decodeErrors, type Invalid, invalid, showValue } from './failure.ts';
import { jaxprFormat, jaxprVersion, unwritable } from './jaxpr.ts';

/** Primitives by name: `primitives` of the package, or a part of them. */
export type Registry = Readonly<Record<string, Primitive>>;

/** Calls inside calls. */
const maxNesting = 64;
/** Equations, each call counted with all that it calls. */
const maxEquations = 2 ** 22;
/** Entries in the parameters of one equation: they describe axes and shapes, not data. */
const maxParams = 4096;

type Result<A> = E.Either<readonly [Invalid, ...Invalid[]], A>;

const fail = (at: string, expected: string, actual: string): E.Left<readonly [Invalid]> => ({
  _tag: 'Left',
  left: [invalid(at, expected, actual)],
});

const perhapsArray: t.Type<readonly unknown[] | undefined, unknown, unknown> = new t.Type(
  'an array or nothing',
  (u): u is readonly unknown[] | undefined => u === undefined || Array.isArray(u),
  (u, c) => (u === undefined || Array.isArray(u) ? t.success(u) : t.failure(u, c)),
  t.identity,
);
const fileCodec = t.strict(
  {
    format: t.literal(jaxprFormat),
    version: t.literal(jaxprVersion),
    programs: t.UnknownArray,
    constants: perhapsArray,
  },
  'a program as JSON',
);
const programCodec = t.strict(
  { consts: t.UnknownArray, ins: t.UnknownArray, eqns: t.UnknownArray, outs: t.UnknownArray },
  'a program',
);
const eqnCodec = t.strict(
  { primitive: t.string, params: t.UnknownRecord, ins: t.UnknownArray, outs: t.UnknownArray },
  'an equation',
);
const constantCodec = t.strict({ aval: avalCodec, elements: t.UnknownArray }, 'a constant');

const isNumber = (u: unknown): u is number => typeof u === 'number';

/** A number; those that JSON lacks are spelled. */
const numberCodec: t.Type<number, unknown, unknown> = new t.Type(
  'a number, "NaN", "Infinity", "-Infinity" or "-0"',
  isNumber,
  (u, c) =>
    isNumber(u)
      ? t.success(u)
      : typeof u === 'string' && Object.hasOwn(unwritable, u)
        ? t.success(unwritable[u]!)
        : t.failure(u, c),
  t.identity,
);
const literalCodec = t.strict({ literal: numberCodec, aval: avalCodec }, 'the number of a variable, or a literal');

/** Is the number one of the dtype's? A float32 may be written in any number of digits, but not beyond its range. */
function holds({ dtype }: Aval, x: number): boolean {
  if (dtype === 'float64') return true;
  if (dtype === 'float32') return !Number.isFinite(x) || Number.isFinite(Math.fround(x));
  const [least, greatest] = dtype === 'bool' ? [0, 1] : integerRange(dtype);
  return Number.isInteger(x) && !Object.is(x, -0) && x >= least && x <= greatest;
}

/** What is known of a program that later ones may call. */
interface Known {
  readonly jaxpr: Jaxpr;
  readonly equations: number;
  readonly nesting: number;
}

class Decoder {
  readonly programs: Known[] = [];
  private readonly registry: Registry;

  constructor(registry: Registry) {
    this.registry = registry;
  }

  program(at: string, value: unknown): Result<Known> {
    const parts = decodeAt(programCodec, at, value);
    if (E.isLeft(parts)) return parts;
    const bound: Var[] = [];
    const consts = this.binders(`${at}.consts`, parts.right.consts, bound);
    if (E.isLeft(consts)) return consts;
    const ins = this.binders(`${at}.ins`, parts.right.ins, bound);
    if (E.isLeft(ins)) return ins;
    const eqns: Eqn[] = [];
    let [equations, nesting] = [0, 0];
    for (const [i, entry] of parts.right.eqns.entries()) {
      const decoded = this.eqn(`${at}.eqns[${i}]`, entry, bound);
      if (E.isLeft(decoded)) return decoded;
      eqns.push(decoded.right.eqn);
      for (const v of decoded.right.eqn.outs) bound.push(v);
      equations += 1;
      for (const inner of decoded.right.calls) {
        equations += inner.equations;
        nesting = Math.max(nesting, inner.nesting + 1);
      }
      if (equations > maxEquations) return fail(`${at}.eqns[${i}]`, `at most ${maxEquations} equations`, 'more');
      if (nesting > maxNesting) return fail(`${at}.eqns[${i}]`, `calls at most ${maxNesting} deep`, 'deeper ones');
    }
    const outs = this.atoms(`${at}.outs`, parts.right.outs, bound);
    if (E.isLeft(outs)) return outs;
    const jaxpr: Jaxpr = { consts: consts.right, ins: ins.right, eqns, outs: outs.right };
    return attempt(at, 'a well-typed program', () => {
      checkJaxpr(jaxpr);
      return { jaxpr, equations, nesting };
    });
  }

  private binders(at: string, values: readonly unknown[], bound: Var[]): Result<readonly Var[]> {
    const vars: Var[] = [];
    for (const [i, value] of values.entries()) {
      const aval = decodeAt(avalCodec, `${at}[${i}]`, value);
      if (E.isLeft(aval)) return aval;
      vars.push(makeVar(aval.right));
    }
    for (const v of vars) bound.push(v);
    return E.right(vars);
  }

  private atoms(at: string, values: readonly unknown[], bound: readonly Var[]): Result<readonly Atom[]> {
    const atoms: Atom[] = [];
    for (const [i, value] of values.entries()) {
      const here = `${at}[${i}]`;
      if (typeof value === 'number') {
        const variable = Number.isInteger(value) ? bound[value] : undefined;
        if (!variable) return fail(here, `one of the ${bound.length} variables bound before`, String(value));
        atoms.push(variable);
        continue;
      }
      const decoded = decodeAt(literalCodec, here, value);
      if (E.isLeft(decoded)) return decoded;
      const { aval, literal } = decoded.right;
      if (aval.shape.length > 0) return fail(`${here}.aval`, 'a scalar', showAval(aval));
      if (!holds(aval, literal)) return fail(`${here}.literal`, `a number of ${aval.dtype}`, String(literal));
      atoms.push(makeLiteral(aval, literal));
    }
    return E.right(atoms);
  }

  private eqn(
    at: string,
    value: unknown,
    bound: readonly Var[],
  ): Result<{ readonly eqn: Eqn; readonly calls: readonly Known[] }> {
    const parts = decodeAt(eqnCodec, at, value);
    if (E.isLeft(parts)) return parts;
    const { primitive: name } = parts.right;
    const primitive = Object.hasOwn(this.registry, name) ? this.registry[name] : undefined;
    if (!primitive) return fail(`${at}.primitive`, 'the name of a primitive', showValue(name));
    const ins = this.atoms(`${at}.ins`, parts.right.ins, bound);
    if (E.isLeft(ins)) return ins;
    const params = this.params(`${at}.params`, parts.right.params, primitive);
    if (E.isLeft(params)) return params;
    const outs = this.binders(`${at}.outs`, parts.right.outs, []);
    if (E.isLeft(outs)) return outs;
    const typed = attempt(at, `operands that fit ${name}`, () =>
      primitive.abstractEval(
        ins.right.map((atom) => atom.aval),
        params.right.value,
      ),
    );
    if (E.isLeft(typed)) return typed;
    if (typed.right.length !== outs.right.length) {
      return fail(`${at}.outs`, `${typed.right.length} outputs of ${name}`, String(outs.right.length));
    }
    const wrong = typed.right.findIndex((aval, i) => !sameAval(aval, outs.right[i]!.aval));
    if (wrong >= 0) {
      return fail(`${at}.outs[${wrong}]`, described(typed.right[wrong]!), described(outs.right[wrong]!.aval));
    }
    const eqn: Eqn = { primitive, params: params.right.value, ins: ins.right, outs: outs.right, source: null };
    return E.right({ eqn, calls: params.right.calls });
  }

  /** Parameters: the tagged forms are put back, then the primitive's own codec decides. */
  private params(
    at: string,
    given: Readonly<Record<string, unknown>>,
    primitive: Primitive,
  ): Result<{ readonly value: unknown; readonly calls: readonly Known[] }> {
    const calls: Known[] = [];
    const wrong: Invalid[] = [];
    let entries = 0;
    const refuse = (path: string, expected: string, actual: unknown): undefined => {
      wrong.push(invalid(path, expected, showValue(actual)));
      return undefined;
    };
    const revive = (x: unknown, path: string, depth: number): unknown => {
      if (wrong.length > 0) return undefined;
      if (++entries > maxParams || depth > 16) return refuse(path, `at most ${maxParams} entries, 16 deep`, x);
      if (Array.isArray(x)) return x.map((entry, i) => revive(entry, `${path}[${i}]`, depth + 1));
      if (typeof x !== 'object' || x === null) return x;
      if (Object.hasOwn(x, '$jaxpr')) {
        const place = (x as { readonly $jaxpr: unknown }).$jaxpr;
        const known = lengthCodec.is(place) ? this.programs[place] : undefined;
        if (!known) return refuse(path, `one of the ${this.programs.length} programs before`, place);
        calls.push(known);
        return known.jaxpr;
      }
      if (Object.hasOwn(x, '$number')) {
        const decoded = decodeAt(numberCodec, path, (x as { readonly $number: unknown }).$number);
        if (E.isRight(decoded)) return decoded.right;
        wrong.push(...decoded.left);
        return undefined;
      }
      return Object.fromEntries(
        Object.entries(x).map(([key, entry]) => [key, revive(entry, `${path}.${key}`, depth + 1)]),
      );
    };
    const revived = revive(given, at, 0);
    const [first, ...others] = wrong;
    if (first) return E.left([first, ...others]);
    const decoded = decodeAt(primitive.params, at, revived);
    if (E.isLeft(decoded)) return decoded;
    const known = Object.keys(decoded.right as object);
    const unknown = Object.keys(given).find((key) => !known.includes(key));
    if (unknown !== undefined)
      return fail(`${at}.${unknown}`, `no parameter of ${primitive.name}`, showValue(given[unknown]));
    return E.right({ value: decoded.right, calls });
  }
}

const described = (aval: Aval): string => `${aval.weak ? 'weak ' : ''}${showAval(aval)}`;

/** What the rules of primitives and the checker throw is, of a file, an error like any other. */
function attempt<A>(at: string, expected: string, f: () => A): Result<A> {
  try {
    return E.right(f());
  } catch (error) {
    const said = error instanceof PullbackError ? `${error.op}: ${error.problem}` : String(error);
    return fail(at, expected, said.length > 500 ? `${said.slice(0, 500)}…` : said);
  }
}

function decodeConstant(at: string, value: unknown, aval: Aval): Result<Tensor> {
  const decoded = decodeAt(constantCodec, at, value);
  if (E.isLeft(decoded)) return decoded;
  const { elements } = decoded.right;
  if (!sameAval(decoded.right.aval, aval)) return fail(`${at}.aval`, described(aval), described(decoded.right.aval));
  if (elements.length !== aval.size) return fail(`${at}.elements`, `${aval.size} numbers`, String(elements.length));
  const host = allocate(aval.dtype, elements.length);
  for (const [i, element] of elements.entries()) {
    const number = decodeAt(numberCodec, `${at}.elements[${i}]`, element);
    if (E.isLeft(number)) return number;
    if (!holds(aval, number.right))
      return fail(`${at}.elements[${i}]`, `a number of ${aval.dtype}`, String(number.right));
    host[i] = number.right;
  }
  return E.right(tensorFrom(aval, host));
}

interface File {
  readonly jaxpr: Jaxpr;
  readonly constants: readonly unknown[] | undefined;
}

function decodeFile(registry: Registry, json: unknown): Result<File> {
  const file = decodeAt(fileCodec, '', json);
  if (E.isLeft(file)) return file;
  const { programs, constants } = file.right;
  if (programs.length === 0) return fail('programs', 'at least one program', 'none');
  const decoder = new Decoder(registry);
  for (const [i, program] of programs.entries()) {
    const decoded = decoder.program(`programs[${i}]`, program);
    if (E.isLeft(decoded)) return decoded;
    decoder.programs.push(decoded.right);
  }
  return E.right({ jaxpr: decoder.programs.at(-1)!.jaxpr, constants });
}

const named =
  (source: string) =>
  <A>(result: Result<A>): E.Either<DecodeErrors, A> =>
    E.isLeft(result) ? E.left(decodeErrors(source, ...result.left)) : result;

/**
 * The program that plain data denotes, well typed by the rules of the primitives in `registry`.
 *
 * It never throws: an unknown primitive, parameters that its codec refuses, an ill-typed equation are `DecodeErrors` with the
 * path to the first of them. Law: `decodeJaxpr ∘ encodeJaxpr` is the identity up to α-equivalence.
 *
 * @param registry - the primitives that the program may use
 * @param source - what the data came from, for the messages
 *
 * @example
 * ```ts
 * import { eqJaxpr, makeJaxpr, np, type Tensor } from 'pullback';
 * import { decodeJaxpr, encodeJaxpr, primitives } from 'pullback/io';
 * import * as E from 'fp-ts/lib/Either.js';
 *
 * const { jaxpr } = makeJaxpr((x: Tensor) => np.exp(np.mul(x, x)))(np.zeros([3]));
 * const text = JSON.stringify(encodeJaxpr(jaxpr));
 * const again = decodeJaxpr(primitives)(JSON.parse(text), 'model.json');
 * console.log(E.isRight(again) && eqJaxpr.equals(again.right, jaxpr)); // => true
 * ```
 */
export const decodeJaxpr =
  (registry: Registry) =>
  (json: unknown, source = 'jaxpr'): E.Either<DecodeErrors, Jaxpr> =>
    named(source)(E.map(({ jaxpr }: File) => jaxpr)(decodeFile(registry, json)));

/** {@link decodeJaxpr} with the values of the program's constants, which must be there if it has any. */
export const decodeClosedJaxpr =
  (registry: Registry) =>
  (json: unknown, source = 'jaxpr'): E.Either<DecodeErrors, ClosedJaxpr> => {
    const file = decodeFile(registry, json);
    if (E.isLeft(file)) return named(source)(file);
    const { jaxpr, constants = [] } = file.right;
    if (constants.length !== jaxpr.consts.length) {
      return named(source)(fail('constants', `${jaxpr.consts.length} constants`, String(constants.length)));
    }
    const consts: Tensor[] = [];
    for (const [i, value] of constants.entries()) {
      const decoded = decodeConstant(`constants[${i}]`, value, jaxpr.consts[i]!.aval);
      if (E.isLeft(decoded)) return named(source)(decoded);
      consts.push(decoded.right);
    }
    return E.right({ jaxpr, consts });
  };
