/**
 * Axes: where the ticks of an interval go and what they say.
 *
 * Ticks are multiples of 1, 2 or 5 times a power of ten, the step being the one that gives about as many as were asked for.
 */

/** An interval of data and the ticks inside it. */
export interface Axis {
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
  /** A tick's label, with as many decimals as its neighbours need. */
  readonly show: (tick: number) => string;
}

/**
 * An axis that holds every drawable one of `values`, its ends on ticks.
 *
 * Without any it is [0, 1]; around a single one it is widened.
 */
export function axisOf(values: readonly number[], count: number): Axis {
  const [least, greatest] = widened(extent(values));
  const step = niceStep((greatest - least) / count);
  const first = Math.floor(least / step + slack);
  const last = Math.ceil(greatest / step - slack);
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  return { low: first * step, high: last * step, ticks, show: (tick) => label(tick, step) };
}

/** Can the number be placed on an axis? It is finite, and so are its differences with others like it. */
export const isDrawable = (value: number): boolean => Math.abs(value) < 1e300;

/** Below this a division may lose what the number says. */
const tiny = 1e-290;

/** What rounding may do to a quotient of an end and a step. */
const slack = 1e-9;

function extent(values: readonly number[]): readonly [number, number] {
  let [least, greatest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (!isDrawable(value)) continue;
    least = Math.min(least, value);
    greatest = Math.max(greatest, value);
  }
  return least <= greatest ? [least, greatest] : [0, 1];
}

/** An interval too narrow for its own magnitude gets a tenth of it on either side. */
const widened = ([low, high]: readonly [number, number]): readonly [number, number] => {
  const magnitude = Math.max(Math.abs(low), Math.abs(high));
  if (high - low > Math.max(magnitude * slack, tiny)) return [low, high];
  const margin = magnitude < tiny ? 1 : magnitude / 10;
  return [low - margin, high + margin];
};

/** The least of {1, 2, 5, 10} × 10ᵏ that is not below `rough`. */
function niceStep(rough: number): number {
  // Read as a decimal: `**` may be off in the last place.
  const power = Number(`1e${Math.floor(Math.log10(rough))}`);
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= rough * (1 - slack)) ?? 10;
  return factor * power;
}

/** `0.25`, `1500`, `2e-7`: with the decimals that the step has, or with an exponent where the zeros would be many. */
function label(tick: number, step: number): string {
  const value = Math.abs(tick) < step * slack ? 0 : tick;
  if (Math.abs(value) >= 1e6 || step < 1e-4) {
    return value === 0 ? '0' : Number(value.toPrecision(15)).toExponential().replace('e+', 'e');
  }
  return value.toFixed(Math.max(0, -Math.floor(Math.log10(step) + slack)));
}
