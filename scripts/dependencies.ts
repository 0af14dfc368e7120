/**
 * What epmux is built on.
 *
 *     npm run licences     writes the tables of docs/dependencies.md anew, from the lock file (no network)
 *     npm run advisories   asks the registry for known holes in what is installed with epmux; exits with 0 when it knows none, 1 when it knows
 *                          some, 3 when it could not be asked
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lockedPackages, readManifest } from './dependencies/lock.ts';
import { withTables } from './dependencies/page.ts';

const ROOT = join(import.meta.dirname, '..');
const PAGE = join(ROOT, 'docs', 'dependencies.md');
const AUDIT_MS = 60_000;

function writePage(): number {
  writeFileSync(PAGE, withTables(readFileSync(PAGE, 'utf8'), readManifest(), lockedPackages()));
  return 0;
}

interface Audit {
  readonly metadata?: { readonly vulnerabilities: Readonly<Record<string, number>> };
  readonly vulnerabilities?: Readonly<Record<string, { readonly severity: string }>>;
}

function audit(): number {
  const args = ['audit', '--omit=dev', '--json'];
  const { stdout } = spawnSync('npm', args, { cwd: ROOT, encoding: 'utf8', timeout: AUDIT_MS });
  const answer = parsed(stdout);
  if (answer?.metadata === undefined) {
    console.error(
      'advisories: NOT CHECKED: the registry gives no audits here (npm audit --omit=dev says why)',
    );
    return 3;
  }
  const holes = Object.entries(answer.vulnerabilities ?? {});
  for (const [name, { severity }] of holes) console.log(`${name}: ${severity}`);
  console.log(`${holes.length} packages with known holes`);
  return holes.length === 0 ? 0 : 1;
}

function parsed(text: string | null): Audit | undefined {
  try {
    return JSON.parse(text ?? '') as Audit;
  } catch {
    return undefined;
  }
}

process.exitCode = process.argv[2] === 'advisories' ? audit() : writePage();
