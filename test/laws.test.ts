/**
 * Every suite of `laws/`, on the device that PULLBACK_DEVICE names.
 *
 * LAWS is the number of cases of a law (default 100), LAWS_SEED their seed (default: a fixed one, so that a failure of a
 * commit is a failure of its change), LAWS_ONLY the name of one suite.
 */
import { type Device, referenceDevice, setDefaultDevice } from 'pullback';
import { mutantTable, rewriteLaw, showMutantTable, suites, survivors, unsoundRewrites } from 'pullback/laws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const devices: Readonly<Record<string, () => Device>> = { reference: () => referenceDevice() };

/** An environment variable as a natural number. */
const natural = (name: string, fallback: number): number => {
  const text = process.env[name];
  if (text === undefined || text === '') return fallback;
  if (!/^\d{1,10}$/.test(text)) throw new Error(`${name} must be a natural number, got ${text}`);
  return Number(text);
};

const runs = natural('LAWS', 100);
const seed = natural('LAWS_SEED', 20_190_117);
const only = process.env['LAWS_ONLY'] || null;
const deviceName = process.env['PULLBACK_DEVICE'] || 'reference';

const names = [...suites.map((suite) => suite.name), 'mutants'];
if (only !== null && !names.includes(only))
  throw new Error(`LAWS_ONLY must be one of ${names.join(', ')}, got ${only}`);
const makeDevice = devices[deviceName];
if (!makeDevice)
  throw new Error(`PULLBACK_DEVICE must be one of ${Object.keys(devices).join(', ')}, got ${deviceName}`);

const wanted = (name: string): boolean => only === null || only === name;

/** A law may take its share of the limit of a suite that is run a thousandfold. */
const timeout = Math.max(60_000, runs * 600);

let before: Device | null = null;
beforeAll(() => {
  before = setDefaultDevice(makeDevice());
});
afterAll(() => {
  if (before) setDefaultDevice(before);
});

for (const suite of suites.filter(({ name }) => wanted(name))) {
  describe(`${suite.name} on ${deviceName}`, () => {
    for (const law of suite.laws) {
      it(law.name, { timeout }, () => {
        expect(law.check({ runs, seed }).failure).toBeNull();
      });
    }
  });
}

if (wanted('mutants')) {
  describe(`mutants on ${deviceName}`, () => {
    it('every applicable mutant is caught within 100 cases', { timeout }, () => {
      const table = mutantTable({ runs: 100, seed });
      console.log(`Mutants: cases until a law failed\n${showMutantTable(table)}`);
      expect(survivors(table)).toEqual([]);
    });
    for (const one of unsoundRewrites) {
      it(`the unsound rewrite ${one.states} is caught within 1,000 cases`, { timeout }, () => {
        expect(rewriteLaw(one).run({ runs: 1000, seed, shrink: false }).failure).not.toBeNull();
      });
    }
  });
}
