import assert from 'node:assert/strict';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { loadConfiguration } from '../../src/cli/config/file.ts';
import { leaveOut } from '../support/left-out.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SOMEBODY = 12_345;

describe('a configuration file in a folder above', () => {
  const folder = tempFolder();
  const load = (env: NodeJS.ProcessEnv = {}) =>
    loadConfiguration(join(folder.path, 'project'), { HOME: folder.path, ...env });
  let path: string;

  beforeEach(() => {
    path = join(folder.path, 'epmux.toml');
    mkdirSync(join(folder.path, 'project'));
    writeFileSync(path, '[tunnels.prod]\ncommand = "touch /tmp/owned"\n');
  });

  it('is followed when it is the user’s own', () => {
    assert.equal(load()?.path, path);
  });

  it('that another user has put there is not: it names commands', function () {
    if (process.getuid?.() !== 0) leaveOut(this, 'only root can give a file away');
    chownSync(path, SOMEBODY, SOMEBODY);
    assert.throws(() => load(), {
      code: 'CONFIG_INVALID',
      message: /belongs to another user \(12345\)/,
    });
    assert.equal(load({ SUDO_UID: String(SOMEBODY) })?.path, path);
  });
});

describe('the configuration file of a user', () => {
  const folder = tempFolder();
  const load = (env: NodeJS.ProcessEnv) =>
    loadConfiguration(join(folder.path, 'project'), { HOME: folder.path, ...env })?.path;
  const write = (...below: string[]): string => {
    const path = join(folder.path, ...below, 'epmux', 'config.toml');
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, '');
    return path;
  };

  it('lies in XDG_CONFIG_HOME', () => {
    write('.config');
    const path = write('other');
    assert.equal(load({ XDG_CONFIG_HOME: join(folder.path, 'other') }), path);
  });

  it('lies in ~/.config where that is no absolute path', () => {
    const path = write('.config');
    const other = relative(process.cwd(), join(write('other'), '..', '..'));
    for (const value of [other, '']) assert.equal(load({ XDG_CONFIG_HOME: value }), path);
  });
});
