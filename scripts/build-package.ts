import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleAgent } from './bundle-agent.ts';

const ROOT = join(import.meta.dirname, '..');
/** What a user's own OTP compiles. */
const ERLANG = join('cli', 'erlang', 'epmux_remsh.erl');
const SHEBANG = '#!/usr/bin/env node\n';

/** Writes what dist/ holds into the folder: the package's JavaScript, and the agent as one file, whose path it gives. */
export async function buildPackage(folder: string): Promise<string> {
  compile(folder);
  copyFileSync(join(ROOT, 'src', ERLANG), join(folder, ERLANG));
  makeExecutable(join(folder, 'cli', 'main.js'));
  const agent = join(folder, 'agent.mjs');
  await bundleAgent(agent);
  makeExecutable(agent);
  return agent;
}

function compile(folder: string): void {
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', folder];
  const { status, signal } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) throw new Error(`tsc failed (${signal ?? `exit ${status}`})`);
}

function makeExecutable(file: string): void {
  if (!existsSync(file)) throw new Error(`${file} was not built`);
  if (!readFileSync(file, 'utf8').startsWith(SHEBANG)) {
    throw new Error(`${file} does not start with ${SHEBANG.trim()}`);
  }
  chmodSync(file, 0o755);
}
