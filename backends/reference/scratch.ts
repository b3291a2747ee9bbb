/** Memory for the duration of one kernel call, kept from one call to the next. */

let kept = new Float64Array(0);

/** What the largest blocks need when sums are of ordinary length; beyond it memory is given back. */
const keptLimit = (1 << 15) + (1 << 21);

/** At least `size` doubles, their contents arbitrary. A kernel asks once. */
export function scratch(size: number): Float64Array {
  if (size <= kept.length) return kept;
  const fresh = new Float64Array(size);
  if (size <= keptLimit) kept = fresh;
  return fresh;
}
