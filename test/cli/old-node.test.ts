import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { builtEpmux } from '../support/built-program.ts';
import { type CliRun, outcome } from '../support/cli.ts';
import { leaveOut } from '../support/left-out.ts';
import { findNode } from '../support/other-node.ts';
import { tempFolder } from '../support/temp-folder.ts';

const INSTALL_MS = 60_000;

describe('epmux on a Node that is too old for its commands (18)', function () {
  this.timeout(INSTALL_MS + 30_000);
  const folder = tempFolder();
  let node = '';

  before(function () {
    try {
      node = findNode('18', INSTALL_MS);
    } catch (error) {
      leaveOut(this, `the registry gives none: ${(error as Error).message}`);
    }
  });

  async function run(...args: string[]): Promise<CliRun> {
    const [, ...program] = await builtEpmux();
    const env = { PATH: process.env['PATH'], HOME: folder.path, EPMUX_HOME: folder.path };
    return outcome(spawn(node, [...program, ...args], { env }), args.join(' '));
  }

  it('starts the app of an agent all the same', async () => {
    const { code, stdout } = await run('agent', '--', 'sh', '-c', 'echo the app runs; exit 7');
    assert.equal(stdout, 'the app runs\n');
    assert.equal(code, 7);
  });

  it('says what is missing, whatever else it was called for', async () => {
    for (const args of [['status'], ['--version'], ['supervisor']]) {
      const { code, stderr } = await run(...args);
      assert.equal(code, 1);
      assert.match(
        stderr,
        /^epmux: epmux does not run on Node 18\.\S+, which is too old \(UNSUPPORTED\)\nhint: install Node 20\.19 or newer: it is \S+ that was found\n$/,
      );
    }
  });

  it('says so in the document of --json', async () => {
    const { stdout } = await run('status', '--json');
    assert.equal(JSON.parse(stdout).error.code, 'UNSUPPORTED');
  });
});
