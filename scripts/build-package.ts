import { chmodSync, copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { bundleAgent, bundling } from './bundle-agent.ts';

const ROOT = join(import.meta.dirname, '..');
/** What a user's own OTP compiles. */
const ERLANG = join('cli', 'erlang', 'epmux_remsh.erl');
/**
 * Two folders deep, as the sources are: what lies beside the program is found from there by the
 * same way.
 */
const PARTS = join('cli', 'parts');
const SHEBANG = '#!/usr/bin/env node\n';

/**
 * Writes what dist/ holds into the folder: the package's JavaScript, and the agent as one file,
 * whose path it gives.
 */
export async function buildPackage(folder: string): Promise<string> {
  await bundleParts(folder);
  copyFileSync(join(ROOT, 'src', ERLANG), join(folder, PARTS, 'epmux_remsh.erl'));
  makeExecutable(join(folder, 'cli', 'main.js'));
  const agent = join(folder, 'agent.mjs');
  await bundleAgent(agent);
  makeExecutable(agent);
  return agent;
}

/**
 * A few files rather than two hundred: to find and load each takes longer than to run it. What is
 * imported when it is needed stays apart.
 */
async function bundleParts(folder: string): Promise<void> {
  await build({
    ...bundling(),
    minifyWhitespace: false,
    splitting: true,
    entryPoints: { 'cli/main': join(ROOT, 'src', 'cli', 'main.ts') },
    chunkNames: join(PARTS, '[name]-[hash]'),
    outdir: folder,
  });
}

function makeExecutable(file: string): void {
  if (!existsSync(file)) throw new Error(`${file} was not built`);
  if (!readFileSync(file, 'utf8').startsWith(SHEBANG)) {
    throw new Error(`${file} does not start with ${SHEBANG.trim()}`);
  }
  chmodSync(file, 0o755);
}
