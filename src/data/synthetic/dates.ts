/** Dates as people write them, and as ISO 8601 does: a small task of translation, for attention that one can read. */

import type { Key } from '../../random/key.ts';
import type { Dataset } from '../dataset.ts';
import { type Chance, drawn } from './chance.ts';

/** A date, twice. */
export interface DatePair {
  /** As somebody wrote it: `Tuesday, 3rd of May 1983`. The day comes before the month where both are numbers. */
  readonly human: string;
  /** `1983-05-03` */
  readonly iso: string;
}

const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const weekdays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

interface DateParts {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
}

const two = (n: number): string => String(n).padStart(2, '0');

const ordinal = (n: number): string => {
  const teen = n % 100 > 10 && n % 100 < 14;
  return `${n}${teen ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th')}`;
};

const short = (name: string): string => name.slice(0, 3);

/** Ways to write a date. */
const styles: readonly ((d: DateParts) => string)[] = [
  ({ year, month, day }) => `${day} ${months[month]} ${year}`,
  ({ year, month, day }) => `${months[month]} ${day}, ${year}`,
  ({ year, month, day }) => `${short(months[month]!)} ${day} ${year}`,
  ({ year, month, day }) => `${day} ${short(months[month]!)} ${year}`,
  ({ year, month, day }) => `${ordinal(day)} of ${months[month]} ${year}`,
  ({ year, month, day }) => `the ${ordinal(day)} of ${months[month]}, ${year}`,
  ({ year, month, day, weekday }) => `${weekdays[weekday]}, ${day} ${months[month]} ${year}`,
  ({ year, month, day, weekday }) => `${short(weekdays[weekday]!)} ${months[month]} ${ordinal(day)}, ${year}`,
  ({ year, month, day }) => `${day}/${month + 1}/${year}`,
  ({ year, month, day }) => `${two(day)}.${two(month + 1)}.${year}`,
  ({ year, month, day }) => `${two(day)}-${short(months[month]!)}-${year}`,
  ({ year, month, day }) => `${year} ${months[month]} ${day}`,
];

const cases: readonly ((text: string) => string)[] = [
  (s) => s,
  (s) => s,
  (s) => s.toLowerCase(),
  (s) => s.toUpperCase(),
];

const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

/** Days since 1 March of the year 0, in the Gregorian calendar. */
function dayNumber(year: number, month: number, day: number): number {
  const y = month < 2 ? year - 1 : year;
  const m = (month + 10) % 12;
  return (
    365 * y + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + Math.floor((153 * m + 2) / 5) + day - 1
  );
}

function pair(chance: Chance): DatePair {
  const year = 1900 + chance.below(200);
  const month = chance.below(12);
  const days = [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month]!;
  const day = 1 + chance.below(days);
  // 1 March of the year 0 was a Wednesday.
  const weekday = (dayNumber(year, month, day) + 3) % 7;
  const style = chance.pick(styles);
  const human = chance.pick(cases)(style({ year, month, day, weekday }));
  return { human, iso: `${year}-${two(month + 1)}-${two(day)}` };
}

/**
 * `count` dates of 1900–2099, in twelve ways of writing and three of capitals, with their weekdays where those are named.
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * import { dates } from 'pullback/data';
 * console.log([...dates(random.key(0), 3)]);
 * // => [ { human: '…', iso: '…' }, { human: '…', iso: '…' }, { human: '…', iso: '…' } ]
 * ```
 */
export const dates = (key: Key, count: number): Dataset<DatePair> => drawn('dates', key, count, 5, pair);
