/**
 * A loop that does what 128-bit SIMD can do at most: multiplications and additions on registers alone.
 *
 * Fourteen independent chains `v ← v·a + a` hide the latency of a multiplication and an addition; with the constant they fit the
 * registers. `relaxed_madd` is one instruction for both where the machine fuses them.
 */

/** Chains, each of which tends to its fixed point 1. */
export const chains = 14;
/** Iterations of a call: half a millisecond, so that on a busy machine some calls are not interrupted. */
export const iterations = 300_000;

/** Floating-point operations of a call. */
export const peakFlops = iterations * chains * 4 * 2;

const [v128, i32, f32] = [0x7b, 0x7f, 0x7d];

/** Unsigned LEB128. */
function unsigned(n: number): readonly number[] {
  const low = n & 0x7f;
  return n < 0x80 ? [low] : [low | 0x80, ...unsigned(n >>> 7)];
}
const sized = (bytes: readonly number[]): readonly number[] => [...unsigned(bytes.length), ...bytes];
const section = (id: number, bytes: readonly number[]): readonly number[] => [id, ...sized(bytes)];
const get = (local: number): readonly number[] => [0x20, local];
const set = (local: number): readonly number[] => [0x21, local];
const simd = (opcode: number): readonly number[] => [0xfd, ...unsigned(opcode)];
const splat = (x: number): readonly number[] => [0x43, ...new Uint8Array(Float32Array.of(x).buffer), ...simd(0x13)];

/** A module whose `run(n)` does `n` iterations and returns what depends on all of them. */
export function loop(relaxed: boolean): Uint8Array {
  const [mul, add, madd, extractLane] = [simd(0xe6), simd(0xe4), simd(0x105), simd(0x1f)];
  const [n, a, first] = [0, 1, 2];
  const locals = Array.from({ length: chains }, (_, i) => first + i);
  const step = (v: number): readonly number[] =>
    relaxed
      ? [...get(v), ...get(a), ...get(a), ...madd, ...set(v)]
      : [...get(v), ...get(a), ...mul, ...get(a), ...add, ...set(v)];
  const body = [
    ...[1, chains + 1, v128],
    ...[...splat(0.5), ...set(a)],
    ...locals.flatMap((v) => [...splat(v), ...set(v)]),
    ...[0x03, 0x40],
    ...locals.flatMap(step),
    // tee n ← n − 1, once more unless it is 0
    ...[...get(n), 0x41, 1, 0x6b, 0x22, n, 0x0d, 0, 0x0b],
    ...locals.flatMap((v, i) => [...get(v), ...(i === 0 ? [] : add)]),
    ...[...extractLane, 0, 0x0b],
  ];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 1, i32, 1, f32]),
    ...section(3, [1, 0]),
    ...section(7, [1, 3, ...Buffer.from('run'), 0, 0]),
    ...section(10, [1, ...sized(body)]),
  ]);
}
