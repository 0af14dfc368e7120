/**
 * Releases that differ, crosswise: prints a table for each part, and what can't be had on this
 * machine.
 *
 *     npm run matrix                     all parts (some ten minutes; the first time it fetches root folders and Nodes into .test-cache/)
 *     npm run matrix -- otp              OTP 25, 27 and 29 at the laptop with each in the dyno
 *     npm run matrix -- protocol         recorded releases of epmux with today's, and a next minor of the protocol
 *     npm run matrix -- node             the packed package on Node 20, 22 and 24, and the quick tests on each
 *     npm run matrix -- --json [PART …]  one JSON document on stdout, talk on stderr
 *
 * EPMUX_OTP_25, EPMUX_OTP_27 and EPMUX_OTP_29 name a root folder (chroot) or an installation of
 * OTP, EPMUX_NODE_22 and the like a `node`. Exits with 0 when all of it ran and is well, 1 when
 * something failed, 2 for wrong usage, 3 when nothing failed but something can't run here.
 */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { nodePart } from './matrix/node.ts';
import { otpPart } from './matrix/otp.ts';
import { protocolPart } from './matrix/protocol.ts';
import { failures, type PairResult, type PartResult, table } from './matrix/result.ts';

const PARTS = { otp: otpPart, protocol: protocolPart, node: nodePart } as const;
type Part = keyof typeof PARTS;
const INSIDE = 'EPMUX_MATRIX_INSIDE';

/** Root folders are mounted into in a mount namespace of this run's own. */
function enterNamespace(args: readonly string[]): number | undefined {
  if (process.env[INSIDE] !== undefined || process.getuid?.() !== 0) return undefined;
  if (spawnSync('unshare', ['--mount', 'true']).status !== 0) return undefined;
  const self = [process.execPath, ...process.execArgv, import.meta.filename, ...args];
  const env = { ...process.env, [INSIDE]: '1' };
  return spawnSync('unshare', ['--mount', ...self], { stdio: 'inherit', env }).status ?? 1;
}

function tell({ pair, checks }: PairResult): void {
  const said = checks.map(
    ({ check, ok, detail }) => `${ok ? 'ok' : 'FAILED'} ${check} (${detail})`,
  );
  console.error(`${pair}: ${said.join('; ')}`);
}

function print(parts: readonly PartResult[]): void {
  const cores = `${cpus().length} cores`;
  console.log(`${new Date().toISOString().slice(0, 10)}, ${cores}, Node ${process.version}`);
  for (const part of parts) {
    console.log(`\n${part.part}: ${part.with.join('; ') || 'nothing'}\n`);
    if (part.pairs.length > 0) console.log(`${table(part)}\n`);
    for (const line of failures(part)) console.log(`failed: ${line}`);
    for (const line of part.missing) console.log(`can't run here: ${line}`);
  }
}

async function main(args: readonly string[]): Promise<number> {
  const json = args.includes('--json');
  const asked = args.filter((arg) => arg !== '--json');
  const unknown = asked.filter((arg) => !(arg in PARTS));
  if (unknown.length > 0) {
    console.error(
      `matrix: no such part: ${unknown.join(', ')} (there are ${Object.keys(PARTS).join(', ')})`,
    );
    return 2;
  }
  const inside = enterNamespace(args);
  if (inside !== undefined) return inside;
  const parts: PartResult[] = [];
  for (const part of (asked.length > 0 ? asked : Object.keys(PARTS)) as Part[]) {
    parts.push(await PARTS[part](tell));
  }
  const failed = parts.flatMap(failures);
  const missing = parts.flatMap((part) => part.missing);
  if (json) {
    const date = new Date().toISOString();
    console.log(
      JSON.stringify({ date, cores: cpus().length, node: process.version, parts }, null, 2),
    );
  } else print(parts);
  if (failed.length > 0) return 1;
  return missing.length > 0 ? 3 : 0;
}

process.exitCode = await main(process.argv.slice(2));
