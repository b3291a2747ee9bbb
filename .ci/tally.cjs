/** `node .ci/tally.cjs DIR STEPS`: adds up the JSON reports of a folder, with the number of steps that failed, and prints `N passed, N failed`. */
const { existsSync, readdirSync, readFileSync } = require('node:fs');
const { join } = require('node:path');

const folder = process.argv[2] ?? '.reports';
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];

let passed = 0;
let failed = 0;
for (const name of files) {
  const report = JSON.parse(readFileSync(join(folder, name), 'utf8'));
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  for (const suite of report.testResults) {
    // A file that cannot be loaded has no tests to count: it counts as one failure.
    if (suite.status !== 'failed') continue;
    if (suite.assertionResults.length === 0) {
      failed += 1;
      console.log(`failed to load: ${suite.name}`);
    }
    for (const test of suite.assertionResults) if (test.status === 'failed') console.log(`failed: ${test.fullName}`);
  }
}

// A step may fail without failing a test: types, lint, layers, an unhandled rejection.
if (failed === 0) failed = Number(process.argv[3] ?? 0);

if (passed + failed === 0) console.log('no test ran');
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
