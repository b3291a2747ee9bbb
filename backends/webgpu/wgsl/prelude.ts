/**
 * Functions that WGSL programs call where the language's own are wrong at the edges: the Loop IR's meaning, in WGSL.
 *
 * Measured on drivers and allowed by the language: comparisons and `min` may ignore NaN, conversions saturate to something else, the
 * remainder of large quotients is inexact, shifts count modulo 32, and a literal Inf, NaN or −0 does not compile. NaN is found by its
 * bits, and specials are made while the program runs. A program gets the functions that it uses.
 */

/** A function, and those that it calls. */
interface Source {
  readonly text: string;
  readonly uses?: readonly PreludeName[];
}

const sources = {
  // 0, which an entry point says: of a variable that is never set compilers know the value.
  zero: { text: 'var<private> zero: u32;' },
  special: { text: 'fn special(bits: u32) -> f32 { return bitcast<f32>(bits | zero); }', uses: ['zero'] },
  // Constants that compilers do not know: neither WGSL's, which refuses what overflows, nor the driver's, which folds as it likes.
  opaque_f32: { text: 'fn opaque_f32(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) | zero); }', uses: ['zero'] },
  opaque_i32: { text: 'fn opaque_i32(x: i32) -> i32 { return x | bitcast<i32>(zero); }', uses: ['zero'] },
  opaque_u32: { text: 'fn opaque_u32(x: u32) -> u32 { return x | zero; }', uses: ['zero'] },
  opaque_bool: { text: 'fn opaque_bool(x: bool) -> bool { return x || zero != 0u; }', uses: ['zero'] },
  is_nan: { text: 'fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }' },
  // Floats that are no NaN, in order, −0 below 0.
  order: { text: 'fn order(x: f32) -> i32 { let b = bitcast<i32>(x); return b ^ ((b >> 31u) & 0x7fffffffi); }' },
  // The same with both zeros equal. Comparing floats might take subnormal ones for zero.
  rank: {
    text: `fn rank(x: f32) -> i32 {
  let b = bitcast<u32>(x);
  let magnitude = i32(b & 0x7fffffffu);
  return select(magnitude, -magnitude, b > 0x7fffffffu);
}`,
  },
  eq_f32: {
    text: 'fn eq_f32(x: f32, y: f32) -> bool { return rank(x) == rank(y) && !is_nan(x) && !is_nan(y); }',
    uses: ['is_nan', 'rank'],
  },
  ne_f32: { text: 'fn ne_f32(x: f32, y: f32) -> bool { return !eq_f32(x, y); }', uses: ['eq_f32'] },
  lt_f32: {
    text: 'fn lt_f32(x: f32, y: f32) -> bool { return rank(x) < rank(y) && !is_nan(x) && !is_nan(y); }',
    uses: ['is_nan', 'rank'],
  },
  le_f32: {
    text: 'fn le_f32(x: f32, y: f32) -> bool { return rank(x) <= rank(y) && !is_nan(x) && !is_nan(y); }',
    uses: ['is_nan', 'rank'],
  },
  min_f32: {
    text: `fn min_f32(x: f32, y: f32) -> f32 {
  if (is_nan(x)) { return x; }
  return select(y, x, order(x) < order(y) && !is_nan(y));
}`,
    uses: ['is_nan', 'order'],
  },
  max_f32: {
    text: `fn max_f32(x: f32, y: f32) -> f32 {
  if (is_nan(x)) { return x; }
  return select(y, x, order(x) > order(y) && !is_nan(y));
}`,
    uses: ['is_nan', 'order'],
  },
  copysign: {
    text: `fn copysign(x: f32, y: f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(x) & 0x7fffffffu) | (bitcast<u32>(y) & 0x80000000u));
}`,
  },
  to_i32: {
    text: `fn to_i32(x: f32) -> i32 {
  if (is_nan(x)) { return 0i; }
  if (x >= 2147483648.0f) { return 2147483647i; }
  if (x <= -2147483648.0f) { return bitcast<i32>(0x80000000u); }
  return i32(x);
}`,
    uses: ['is_nan'],
  },
  to_u32: {
    text: `fn to_u32(x: f32) -> u32 {
  if (is_nan(x) || x <= 0.0f) { return 0u; }
  if (x >= 4294967296.0f) { return 4294967295u; }
  return u32(x);
}`,
    uses: ['is_nan'],
  },
  div_i32: {
    text: `fn div_i32(x: i32, y: i32) -> i32 {
  if (y == 0i) { return -1i; }
  return select(x / y, x, y == -1i && x == bitcast<i32>(0x80000000u));
}`,
  },
  rem_i32: {
    text: `fn rem_i32(x: i32, y: i32) -> i32 {
  if (y == 0i) { return x; }
  if (y == -1i) { return 0i; }
  return x - (x / y) * y;
}`,
  },
  div_u32: { text: 'fn div_u32(x: u32, y: u32) -> u32 { if (y == 0u) { return 4294967295u; } return x / y; }' },
  rem_u32: { text: 'fn rem_u32(x: u32, y: u32) -> u32 { if (y == 0u) { return x; } return x % y; }' },
  shift_left: { text: 'fn shift_left(x: u32, y: u32) -> u32 { return select(0u, x << (y & 31u), y < 32u); }' },
  shift_right_logical: {
    text: 'fn shift_right_logical(x: u32, y: u32) -> u32 { return select(0u, x >> (y & 31u), y < 32u); }',
  },
  shift_right_arithmetic: {
    text: 'fn shift_right_arithmetic(x: i32, y: u32) -> i32 { return x >> min(y, 31u); }',
  },
  // Long division of the mantissas, as in musl's fmodf: exact for every quotient.
  rem_f32: {
    text: `fn rem_f32(x: f32, y: f32) -> f32 {
  let sign = bitcast<u32>(x) & 0x80000000u;
  var a = bitcast<u32>(x) & 0x7fffffffu;
  let b = bitcast<u32>(y) & 0x7fffffffu;
  if (a >= 0x7f800000u || b > 0x7f800000u || b == 0u) { return special(0x7fc00000u); }
  if (a < b) { return x; }
  var ea = i32(a >> 23u);
  let eb = i32(b >> 23u);
  var d = b & 0x7fffffu;
  a = a & 0x7fffffu;
  // The exponents that subnormal numbers have once their highest bit is where the others' is.
  var eb_full = eb;
  if (ea == 0i) { let s = countLeadingZeros(a) - 8u; a = a << s; ea = 1i - i32(s); } else { a = a | 0x800000u; }
  if (eb == 0i) { let s = countLeadingZeros(d) - 8u; d = d << s; eb_full = 1i - i32(s); } else { d = d | 0x800000u; }
  for (var e = ea; e > eb_full; e--) {
    if (a >= d) { a = a - d; }
    a = a << 1u;
  }
  if (a >= d) { a = a - d; }
  if (a == 0u) { return bitcast<f32>(sign | zero); }
  var exponent = eb_full;
  let s = countLeadingZeros(a) - 8u;
  a = a << s;
  exponent = exponent - i32(s);
  if (exponent > 0i) { a = (a & 0x7fffffu) | (u32(exponent) << 23u); } else { a = a >> u32(1i - exponent); }
  return bitcast<f32>(a | sign);
}`,
    uses: ['special', 'zero'],
  },
} as const satisfies Record<string, { readonly text: string; readonly uses?: readonly string[] }>;

/** A function of the prelude. */
export type PreludeName = keyof typeof sources;

/** These functions and those that they call, in the order of the table. */
export function prelude(
  names: Iterable<PreludeName>,
): readonly { readonly name: PreludeName; readonly text: string }[] {
  const needed = new Set<PreludeName>();
  const add = (name: PreludeName): void => {
    if (needed.has(name)) return;
    needed.add(name);
    const { uses }: Source = sources[name];
    uses?.forEach(add);
  };
  for (const name of names) add(name);
  return (Object.keys(sources) as PreludeName[])
    .filter((name) => needed.has(name))
    .map((name) => ({ name, text: sources[name].text }));
}
