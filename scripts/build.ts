/** Builds dist/ anew: the package's JavaScript, and the agent as one file. A build that fails leaves the old dist/ alone. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { bundleAgent } from './bundle-agent.ts';

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
const FRESH = join(ROOT, 'node_modules', `.epmux-dist-${process.pid}`);
/** What a user's own OTP compiles. */
const ERLANG = join('cli', 'erlang', 'epmux_remsh.erl');
const SHEBANG = '#!/usr/bin/env node\n';

function compile(): void {
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', FRESH];
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

try {
  compile();
  copyFileSync(join(ROOT, 'src', ERLANG), join(FRESH, ERLANG));
  makeExecutable(join(FRESH, 'cli', 'main.js'));
  const agent = join(FRESH, 'agent.mjs');
  await bundleAgent(agent);
  makeExecutable(agent);
  const { size } = statSync(agent);
  rmSync(DIST, { recursive: true, force: true });
  renameSync(FRESH, DIST);
  console.log(`built dist/; dist/agent.mjs has ${Math.ceil(size / 1024)} KiB`);
} catch (error) {
  console.error(`build: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  rmSync(FRESH, { recursive: true, force: true });
}
