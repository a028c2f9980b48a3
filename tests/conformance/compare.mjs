// Compares two result folders of the conformance suite, check by check.
//
//     node compare.mjs DIRECT GATEWAY [EXPECTED...]
//
// Exit code 1 if a check that passed directly failed through the gateway, if its
// scenario did not run there, or if no check passed directly: then nothing was
// compared. The checks named as EXPECTED may fail.

import { readFileSync, readdirSync, existsSync } from 'node:fs';
import { join } from 'node:path';

/** The checks of every scenario, by the check's id, in their order. */
function load(folder) {
  const scenarios = new Map();
  for (const entry of existsSync(folder) ? readdirSync(folder).sort() : []) {
    const file = join(folder, entry, 'checks.json');
    if (!existsSync(file)) continue;
    const scenario = entry.replace(/-\d{4}-\d\d-\d\dT.*/, '');
    const checks = scenarios.get(scenario) ?? new Map();
    for (const check of JSON.parse(readFileSync(file, 'utf8'))) {
      checks.set(check.id, [...(checks.get(check.id) ?? []), check]);
    }
    scenarios.set(scenario, checks);
  }
  return scenarios;
}

const [directly, through, ...expected] = process.argv.slice(2);
const [direct, gateway] = [directly, through].map(load);
let passed = 0;
let worse = 0;
let foreseen = 0;
for (const [scenario, checks] of direct) {
  const there = gateway.get(scenario);
  for (const [id, ones] of checks) {
    ones.forEach((one, index) => {
      if (one.status !== 'SUCCESS') return;
      passed += 1;
      const other = there?.get(id)?.[index];
      if (other?.status === 'SUCCESS') return;
      // A scenario leaves checks out that make no sense for the answer it got.
      const failed = there === undefined || other?.status === 'FAILURE';
      const bad = failed && !expected.includes(id);
      worse += bad ? 1 : 0;
      foreseen += failed && !bad ? 1 : 0;
      const status = other?.status ?? (there ? 'left out' : 'its scenario did not run');
      const word = bad ? 'WORSE' : failed ? 'expected' : 'note';
      console.log(`${word}: ${scenario} ${id}: ${status}: ${other?.errorMessage ?? ''}`);
    });
  }
}
const counts = {};
for (const checks of gateway.values()) {
  for (const { status } of [...checks.values()].flat()) counts[status] = (counts[status] ?? 0) + 1;
}
console.log(
  `${passed} checks in ${direct.size} scenarios pass directly, ${worse + foreseen} of them fail through the gateway` +
    `${foreseen > 0 ? `, ${foreseen} as expected` : ''}; through it: ${JSON.stringify(counts)}`,
);
process.exit(worse > 0 || passed === 0 ? 1 : 0);
