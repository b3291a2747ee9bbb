/** Messages as tests compare them. */

import { PullbackError } from 'pullback';

/** The error's tag and message; positions in a test file are reduced to `LINE`. */
export function message(f: () => unknown): string {
  try {
    f();
  } catch (error) {
    if (!(error instanceof PullbackError)) throw error;
    return `\n${error._tag}: ${error.message.replaceAll(/(\w+\.test\.ts):\d+:\d+/g, '$1:LINE')}\n`;
  }
  throw new Error('nothing was thrown');
}
