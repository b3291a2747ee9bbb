/**
 * `npm run bench [-- WORKLOAD… --options]`: this library and its peers on the same work, by turns, in one run.
 *
 * Exit codes: 0 done, 1 somebody's results are not ours or ours failed, 2 the options were wrong.
 */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import * as E from 'fp-ts/lib/Either.js';
import { showFailure } from 'pullback/io';
import { type ContenderName, type PeerName, peerNames } from './contenders.ts';
import { chosenDevice } from './device.ts';
import { buildPrograms, installPeers } from './install.ts';
import { type Asked, decodeAsked, helpText } from './options.ts';
import { efforts, type Outcome, race } from './race.ts';
import { againstPeak, higher, isSound, onThreads, type Peak, type Row, rowOf } from './report.ts';
import { absences, document, machine, tableHead, tableRow } from './table.ts';
import { workloads } from './workloads.ts';

const argv = process.argv.slice(2);
const asked = decodeAsked(argv);
if (E.isLeft(asked)) {
  console.error(`${showFailure(asked.left)}\n\n${helpText()}`);
  process.exitCode = 2;
} else if (asked.right.help) console.log(helpText());
else await bench(asked.right);

/** All peers, unless some were chosen; relaxed SIMD makes no difference to a device that compiles no WebAssembly. */
function chosenPeers({ peers }: Asked, device: string): readonly PeerName[] {
  if (peers !== null) return peerNames.filter((name) => peers.includes(name));
  return peerNames.filter((name) => name !== 'ours+relaxed' || device === 'wasm');
}

async function bench(wanted: Asked): Promise<void> {
  const { json, threads } = wanted;
  // For this process, and for those that it starts.
  if (wanted.device !== null) process.env['PULLBACK_DEVICE'] = wanted.device;
  const device = chosenDevice().name;
  const load = loadavg()[0]!;
  const peers = chosenPeers(wanted, device);
  if (peers.length > 0) {
    const failure = installPeers();
    if (failure !== null) console.error(`bench: npm install failed: ${failure}`);
  }
  await buildPrograms();
  const effort = efforts(wanted.seconds)[wanted.quick ? 'quick' : 'full'];
  const versions = new Map<string, string>();
  const rows: Row[] = [];
  let best: Peak = { mulAdd: null, relaxedMadd: null };
  if (!json)
    console.log(
      `${machine()}\nours: device ${device}, ${threads} thread(s); load ${load.toFixed(1)}\n\n${tableHead(peers)}`,
    );
  for (const workload of wanted.workloads) {
    const peaks: readonly ContenderName[] = workloads[workload].flops === null ? [] : ['peak', 'peak+relaxed'];
    const outcome = await race(workload, ['ours', ...peers, ...peaks], threads, effort);
    remember(versions, outcome);
    const found = rowOf(workload, onThreads(outcome, threads), device, threads);
    if (found.peak !== undefined) best = higher(best, found.peak);
    const row = againstPeak(found, best);
    rows.push(row);
    console.log(json ? JSON.stringify(row) : tableRow(row, peers));
  }
  const absent = absences(rows);
  if (!json && absent.length > 0) console.log(`\nmissing:\n${absent.map((text) => `  ${text}`).join('\n')}`);
  const path = wanted.out ?? fileURLToPath(new URL('RESULTS.md', import.meta.url));
  const chosen = wanted.device === null ? process.env['PULLBACK_DEVICE'] : undefined;
  const start = chosen ? [`PULLBACK_DEVICE=${chosen}`, 'npm run bench'] : ['npm run bench'];
  const command = [...start, ...(argv.length > 0 ? ['--', ...argv] : [])].join(' ');
  const finalRows = rows.map((row) => againstPeak(row, best));
  const anatomy =
    device === 'wasm' && wanted.workloads.some((name) => /^matmul_\d+$/.test(name)) ? anatomyText() : null;
  const text = document(finalRows, peers, { command, date: new Date(), device, threads, load, versions, anatomy });
  // What was found out about the figures, by hand: it stays when they are measured again.
  const notes = readFileSync(new URL('NOTES.md', import.meta.url), 'utf8');
  writeFileSync(path, wanted.out === null ? `${text}\n${notes}` : text);
  if (!json) console.log(`\nwritten: ${path}`);
  if (!rows.every(isSound)) process.exitCode = 1;
}

/** The parts of a product, with relaxed SIMD and without, each measured by a process of its own. */
function anatomyText(): string {
  const program = fileURLToPath(new URL('anatomy.ts', import.meta.url));
  const tables = [[], ['plain']].map((options) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', program, ...options], {
      encoding: 'utf8',
    });
    return status === 0 ? stdout.trim() : `bench/anatomy.ts failed: ${stderr.trim().split('\n')[0]}`;
  });
  return tables.join('\n\n');
}

/** What every program said of itself. */
function remember(versions: Map<string, string>, outcome: Outcome): void {
  for (const [name, result] of outcome) {
    if (E.isLeft(result) || name.startsWith('peak')) continue;
    const { version, threads, relaxed } = result.right.about;
    const simd = relaxed === null ? '' : relaxed ? ', with relaxed SIMD' : ', without relaxed SIMD';
    versions.set(name, `${version}, ${threads} thread${threads === 1 ? '' : 's'}${simd}`);
  }
}
