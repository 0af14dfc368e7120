import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { givenName } from '../../src/agent/given-names.ts';
import { tempFolder } from '../support/temp-folder.ts';

const HOST = hostname().split('.')[0];

describe('the name that a node was started with', () => {
  const temp = tempFolder();
  const uid = process.getuid?.() ?? 0;

  /** Processes as /proc shows them. */
  function started(...commands: readonly (readonly string[])[]): string {
    const proc = join(temp.path, 'proc');
    for (const [at, words] of commands.entries()) {
      const folder = join(proc, String(at + 1));
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'comm'), 'beam.smp\n');
      writeFileSync(join(folder, 'cmdline'), ['beam.smp', ...words, ''].join('\0'));
    }
    return proc;
  }
  const name = (proc: string): Promise<string | undefined> => givenName('app', { proc, uid });

  it('is told by its process', async () => {
    const proc = started(['-name', 'app@dyno.example.com'], ['-sname', 'apple@dyno'], ['-s', 'x']);
    assert.equal(await name(proc), 'app@dyno.example.com');
  });

  it('has the host of this one where it is a short one without', async () => {
    assert.equal(await name(started(['-sname', 'app'])), `app@${HOST}`);
  });

  for (const [what, commands] of [
    ['nobody tells', []],
    ['a long name lacks its host', [['-name', 'app']]],
    [
      'two tell different ones',
      [
        ['-sname', 'app@here'],
        ['-sname', 'app@there'],
      ],
    ],
  ] as const) {
    it(`is not known where ${what}`, async () => {
      assert.equal(await name(started(...commands)), undefined);
    });
  }
});
