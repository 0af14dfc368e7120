import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { startApart } from '../../src/cli/erlang/apart.ts';
import { CliHome } from '../support/cli.ts';

const ENV = { PATH: process.env['PATH'] ?? '' };

describe('the folder that an erl is started in', () => {
  let home: CliHome;
  before(async () => {
    home = await CliHome.make();
  });
  after(() => home.remove());

  const program = async (name: string, script: string): Promise<string> => {
    const file = await home.write(name, `#!/bin/sh\n${script}\n`);
    await chmod(file, 0o755);
    return file;
  };
  /** Tells of the installation as an `erl` does. */
  const tells = (root: string) =>
    `[ "$*" = -emu_args_exit ] && printf '%s\\n' -- -root '${root}' -bindir '${root}/erts-1/bin' -- -home /me`;
  const start = (erl: string) => startApart(erl, home.folder, ENV);

  it('is none that somebody else could put modules into', async () => {
    const erl = await program('erl', tells('/otp'));
    assert.deepEqual(await start(erl), { program: erl, folder: '/' });
  });

  it('is the same for the erl that a shim means in the working folder', async () => {
    const root = join(home.folder, 'otp');
    const own = await program('otp/bin/erl', tells(root));
    const isHere = `[ "$PWD" = '${home.folder}' ]`;
    for (const elsewhere of ['exit 126', tells('/other')]) {
      const shim = await program(
        'shim',
        `if ${isHere}; then ${tells(root)}; else ${elsewhere}; fi`,
      );
      assert.deepEqual(await start(shim), { program: own, folder: '/' });
    }
  });

  it('is the working folder where nothing else leads to that erl', async () => {
    const isHere = `[ "$PWD" = '${home.folder}' ]`;
    const hidden = await program('hidden', `${isHere} && ${tells('/not/seen/here')}`);
    const mute = await program('mute', 'exit 0');
    for (const erl of [hidden, mute, join(home.folder, 'none')]) {
      assert.deepEqual(await start(erl), { program: erl, folder: home.folder });
    }
  });
});
