/**
 * Every suite of `laws/` on one device, as tests.
 *
 * LAWS is the number of cases of a law (default: 100 on the reference device, 20 on others, where each case is compiled), LAWS_SEED
 * their seed (default: a fixed one, so that a failure of a commit is a failure of its change), LAWS_ONLY the name of one suite.
 */
import { readFileSync } from 'node:fs';
import { type Device, setDefaultDevice } from 'pullback';
import {
  type Law,
  mutantTable,
  type Report,
  rewriteLaw,
  showMutantTable,
  suites,
  survivors,
  unsoundRewrites,
} from 'pullback/laws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { primitiveNames } from '../laws/primitives.laws.ts';
import { type DeviceName, makeDevice } from './device.ts';
import { lawsAbout, pageRuns, primitivesPage, primitivesPath, runAsPublished } from './docs/primitives.ts';

/** An environment variable as a natural number. */
const natural = (name: string, fallback: number): number => {
  const text = process.env[name];
  if (text === undefined || text === '') return fallback;
  if (!/^\d{1,10}$/.test(text)) throw new Error(`${name} must be a natural number, got ${text}`);
  return Number(text);
};

/** Cases of a law, if LAWS does not say. */
const usual: Readonly<Record<DeviceName, number>> = { reference: pageRuns.runs, wasm: 20, webgpu: 5 };

const seed = natural('LAWS_SEED', pageRuns.seed);
const only = process.env['LAWS_ONLY'] || null;

const names = [...suites.map((suite) => suite.name), 'mutants'];
if (only !== null && !names.includes(only))
  throw new Error(`LAWS_ONLY must be one of ${names.join(', ')}, got ${only}`);

/** The laws as tests on this device; on the reference device also the mutants, and the page that tells of it. */
export function describeLaws(deviceName: DeviceName): void {
  const isReference = deviceName === 'reference';
  const runs = natural('LAWS', usual[deviceName]);
  /** A law may take its share of the limit of a suite that is run a thousandfold. */
  const timeout = Math.max(60_000, runs * 600);
  /** That the reference device agrees with itself is no news, and mutants are of rules, which devices share. */
  const alsoWanted = (name: string): boolean => (name === 'device' ? !isReference : name !== 'mutants' || isReference);
  const wanted = (name: string): boolean => (only === null ? alsoWanted(name) : only === name);

  let before: Device | null;
  beforeAll(async () => {
    before = setDefaultDevice(await makeDevice(deviceName));
  });
  afterAll(() => {
    setDefaultDevice(before);
  });

  const reports = new Map<Law, Report>();

  for (const suite of suites.filter(({ name }) => wanted(name))) {
    describe(`${suite.name} on ${deviceName}`, () => {
      for (const law of suite.laws) {
        it(law.name, { timeout }, () => {
          const report = law.check({ runs, seed });
          reports.set(law, report);
          expect(report.failure).toBeNull();
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

  const asPublished = isReference && only === null && runs === pageRuns.runs && seed === pageRuns.seed;

  describe.runIf(asPublished)(primitivesPath, () => {
    // What has run already is not run again; alone, this runs the laws of all primitives.
    const reportOf = (law: Law): Report => {
      const report = reports.get(law) ?? runAsPublished(law);
      reports.set(law, report);
      return report;
    };

    it('is what `npm run docs` writes', { timeout: 300_000 }, () => {
      expect(primitivesPage(reportOf), 'the page is stale: run `npm run docs`').toBe(
        readFileSync(primitivesPath, 'utf8'),
      );
    });

    it('tells of no law that discards more than half of its cases', { timeout: 300_000 }, () => {
      const about = primitiveNames.flatMap(lawsAbout).map(reportOf);
      expect(about.length).toBeGreaterThan(primitiveNames.length);
      expect(about.filter(({ inconclusive, runs: all }) => 2 * inconclusive > all)).toEqual([]);
    });
  });
}
