import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleAgent } from '../../scripts/bundle-agent.ts';
import { agentBundle } from '../support/agent-process.ts';
import { tempFolder } from '../support/temp-folder.ts';

describe("the agent's bundle", () => {
  const folder = tempFolder();

  it('is one file that starts itself and reads no other', async () => {
    const text = readFileSync(await agentBundle(), 'utf8');
    assert(text.startsWith('#!/usr/bin/env node\n'));
    assert(!text.includes('package.json'));
    assert(!text.includes('import.meta'));
  });

  for (const [kind, statement] of [
    ['a package', "import 'ssh2';"],
    ['a package later', "await import('yargs');"],
    ['a package in the old way', "require('winston');"],
  ] as const) {
    it(`fails to be made when the agent imports ${kind}`, async () => {
      const main = join(folder.path, 'main.ts');
      writeFileSync(main, `${statement} export const runAgent = () => Promise.resolve(0);`);
      const outfile = join(folder.path, 'agent.mjs');
      await assert.rejects(bundleAgent(outfile, main), /imports (ssh2|yargs|winston): it may/);
      assert(!existsSync(outfile));
    });
  }
});
