/** Refusals of a device memory of 4 MiB. */

import { DeviceMemoryError } from 'pullback';

/** What `f` gives, or `null` if it was refused for what no memory of 4 MiB has: so its message says, and nothing less will do. */
export function unlessTooLarge<R>(f: () => R): R | null {
  try {
    return f();
  } catch (error) {
    const peak = /a program needs ([\d.]+) MiB at its peak, .* the largest values: /.exec((error as Error).message);
    // Constants have a sixteenth of a mebibyte, and peaks are said to a tenth.
    if (!(error instanceof DeviceMemoryError) || !peak || Number(peak[1]) < 3.8) throw error;
    return null;
  }
}
