/**
 * What a snippet did while it ran, next to what it claims. A rewritten snippet (`claims.ts`) calls these functions; the
 * test calls `record` around it. One snippet runs at a time.
 */
import { format, inspect } from 'node:util';
import type { Claim } from './claims.ts';

interface Recording {
  readonly claims: readonly Claim[];
  readonly seen: Set<number>;
  readonly failures: { readonly line: number; readonly message: string }[];
}

let current: Recording | undefined;

/** Spaces and line ends are one space, and none inside a bracket: a long value may be broken anywhere. */
const normal = (text: string): string =>
  text
    .replace(/\s+/g, ' ')
    .replace(/([[({]) /g, '$1')
    .replace(/ ([\])}])/g, '$1')
    .trim();

/** Whether `actual` is the text `claimed`, in which `…` stands for any text. */
export const matches = (claimed: string, actual: string): boolean => {
  const escaped = normal(claimed)
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${escaped.join('[^]*')}$`).test(normal(actual));
};

const settle = (index: number, actual: readonly string[]): void => {
  const claim = current?.claims[index];
  if (current === undefined || claim === undefined) throw new Error('a claim was reported outside its snippet');
  current.seen.add(index);
  if (actual.some((text) => matches(claim.text, text))) return;
  const verb = claim.kind === 'prints' ? 'prints' : 'throws';
  current.failures.push({
    line: claim.line,
    message: `claims that it ${verb}\n  ${claim.text}\nbut it ${verb}\n  ${actual[0]!}`,
  });
};

/** Stands for `console.log` where a claim follows. */
export const __printed =
  (index: number): ((...values: readonly unknown[]) => void) =>
  (...values) =>
    settle(index, [format(...values)]);

/** The value of an expression: claimed as `console.log` prints it, a string also in quotes. */
export const __value = (index: number, value: unknown): void =>
  settle(index, typeof value === 'string' ? [value, inspect(value)] : [format(value)]);

/** A statement that is claimed to fail: with `Name: message`, or just the name. */
export const __throws = async (index: number, statement: () => unknown): Promise<void> => {
  try {
    await statement();
  } catch (error) {
    settle(index, error instanceof Error ? [`${error.name}: ${error.message}`, error.name] : [inspect(error)]);
    return;
  }
  settle(index, ['nothing']);
};

/** Run a snippet, and return the claims that did not come true, those never reached among them. */
export const record = async (claims: readonly Claim[], run: () => Promise<unknown>): Promise<Recording['failures']> => {
  const recording: Recording = { claims, seen: new Set(), failures: [] };
  current = recording;
  try {
    await run();
  } finally {
    current = undefined;
  }
  const unreached = claims.flatMap((claim, index) =>
    recording.seen.has(index) ? [] : [{ line: claim.line, message: 'this claim was never reached' }],
  );
  return [...recording.failures, ...unreached];
};
