/**
 * Keeps today's agent and today's `epmux` as the release of their protocol's version, for tests of
 * every later one:
 *
 *     npm run record        writes test/releases/MAJOR.MINOR/, once for each version: right before it is released
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { MAJOR_VERSION, MINOR_VERSION } from '../src/protocol/constants.ts';
import { bundleAgent } from './bundle-agent.ts';
import { bundleEpmux } from './bundle-epmux.ts';

const RELEASES = join(import.meta.dirname, '..', 'test', 'releases');

async function record(): Promise<number> {
  const folder = join(RELEASES, `${MAJOR_VERSION}.${MINOR_VERSION}`);
  if (existsSync(folder)) {
    console.error(`record: ${folder} is there: what was released does not change`);
    return 1;
  }
  const work = mkdtempSync(join(tmpdir(), 'epmux-record-'));
  try {
    const [agent, epmux] = [join(work, 'agent.mjs'), join(work, 'epmux.mjs')];
    await bundleAgent(agent);
    await bundleEpmux(epmux);
    mkdirSync(folder, { recursive: true });
    for (const [name, file] of [
      ['agent.mjs.gz', agent],
      ['epmux.mjs.gz', epmux],
    ] as const) {
      const bytes = gzipSync(readFileSync(file), { level: 9 });
      writeFileSync(join(folder, name), bytes);
      console.log(`${join(folder, name)}: ${Math.ceil(bytes.length / 1024)} KiB`);
    }
    return 0;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

process.exitCode = await record();
