/** The types of Loop IR expressions: which dtypes each operation takes, and what it gives. */

import { byteSize, type DType, integerRange, isFloat } from '../../src/core/dtype.ts';
import { type Apply, binaryFns, type Const, compareFns, type Expr, type Fn, unaryFns } from './ir/expr.ts';
import type { Combiner } from './ir/kernel.ts';
import { applies, hostFunctions } from './scalar.ts';

/** Does the dtype hold this number? */
function holds({ value, dtype }: Const): boolean {
  if (dtype === 'float64') return true;
  if (dtype === 'float32') return value !== value || Math.fround(value) === value;
  const [low, high] = dtype === 'bool' ? [0, 1] : integerRange(dtype);
  return Number.isInteger(value) && value >= low && value <= high && !Object.is(value, -0);
}

const among = (names: readonly string[], fn: Fn): boolean => names.includes(fn);

/** Are `add`, …, `or` associative operations on this dtype? Sums of floats count as such. */
export const combines = (combiner: Combiner, dtype: DType): boolean =>
  combiner === 'and' || combiner === 'or' ? !isFloat(dtype) : dtype !== 'bool';

/** What is wrong with the type of an expression itself, its operands being right; `null` if nothing is. */
export function typeProblem(x: Expr): string | null {
  switch (x.op) {
    case 'const':
      return holds(x) ? null : `${x.dtype} does not hold ${x.value}`;
    case 'index':
    case 'size':
      return x.dtype === 'int32' ? null : `an ${x.op} is int32, not ${x.dtype}`;
    case 'local':
      return x.dtype === x.local.dtype ? null : `${x.local.name} is ${x.local.dtype}, not ${x.dtype}`;
    case 'load': {
      if (x.dtype !== x.buffer.dtype) return `${x.buffer.name} holds ${x.buffer.dtype}, not ${x.dtype}`;
      if (x.at.dtype !== 'int32') return `an address is int32, not ${x.at.dtype}`;
      return x.guard && x.guard.dtype !== 'bool' ? `a guard is bool, not ${x.guard.dtype}` : null;
    }
    case 'call': {
      const host = hostFunctions[x.name];
      if (!host) return `the host has no function ${x.name}`;
      if (x.args.length !== host.arity) return `math.${x.name} takes ${host.arity} operands, got ${x.args.length}`;
      return [...x.args, x].every(({ dtype }) => dtype === 'float64') ? null : `math.${x.name} is of float64`;
    }
    case 'apply':
      return applyProblem(x);
  }
}

function applyProblem({ fn, dtype, args }: Apply): string | null {
  const got = `${fn} of ${args.map((x) => x.dtype).join(', ')} gives no ${dtype}`;
  const want = (condition: boolean): string | null => (condition ? null : got);
  const [a, b, c] = args.map((x) => x.dtype);
  const arity = (count: number): boolean => args.length === count;
  switch (fn) {
    case 'select':
      return want(arity(3) && a === 'bool' && b === dtype && c === dtype);
    case 'madd':
      return want(arity(3) && isFloat(dtype) && a === dtype && b === dtype && c === dtype);
    case 'convert':
      return want(arity(1));
    case 'bitcast':
      return want(arity(1) && [a!, dtype].every((d) => d !== 'bool' && byteSize(d) === 4));
    case 'quotient':
    case 'remainder':
      return want(arity(2) && dtype === 'int32' && a === dtype && b === dtype);
    case 'copysign':
      return want(arity(2) && isFloat(dtype) && a === dtype && b === dtype);
    default:
      if (among(compareFns, fn)) return want(arity(2) && dtype === 'bool' && a === b);
      if (among(unaryFns, fn)) return want(arity(1) && a === dtype && applies(fn, dtype));
      if (among(binaryFns, fn)) return want(arity(2) && a === dtype && b === dtype && applies(fn, dtype));
      return `there is no operation ${fn}`;
  }
}
