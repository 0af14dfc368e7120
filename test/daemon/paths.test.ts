import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import {
  checkSocketPath,
  daemonPaths,
  ensureFolders,
  ensureRuntimeFolder,
} from '../../src/daemon/paths.ts';
import { tempFolder } from '../support/temp-folder.ts';

const modeOf = (path: string) => statSync(path).mode & 0o777;

describe("the daemon's paths", () => {
  const folder = tempFolder();

  it('are all under EPMUX_HOME when it is set', () => {
    const paths = daemonPaths({ EPMUX_HOME: '/a/b', XDG_STATE_HOME: '/s', XDG_RUNTIME_DIR: '/r' });
    for (const path of Object.values(paths)) assert.ok(path.startsWith('/a/b'), path);
  });

  it('follow the XDG folders else', () => {
    const env = { HOME: '/h', XDG_STATE_HOME: '/s', XDG_RUNTIME_DIR: folder.path };
    assert.equal(daemonPaths(env).stateFile, '/s/epmux/state.json');
    assert.equal(daemonPaths(env).controlSocket, join(folder.path, 'epmux', 'control.sock'));
  });

  it('do without a runtime folder that is not there', () => {
    const env = { HOME: '/h', XDG_RUNTIME_DIR: join(folder.path, 'none') };
    assert.equal(daemonPaths(env).runtimeDir, '/h/.local/state/epmux/run');
  });

  it('have defaults in the home folder', () => {
    const paths = daemonPaths({ HOME: '/h' });
    assert.equal(paths.stateFile, '/h/.local/state/epmux/state.json');
    assert.equal(paths.controlSocket, '/h/.local/state/epmux/run/control.sock');
  });

  it('take an empty home folder for unset', () => {
    const { HOME = '' } = process.env;
    process.env['HOME'] = '';
    const { stateDir } = daemonPaths({ HOME: '' });
    process.env['HOME'] = HOME;
    assert.equal(stateDir, join(userInfo().homedir, '.local/state/epmux'));
  });

  it('take an XDG folder that is not absolute for unset', () => {
    const paths = daemonPaths({ HOME: '/h', XDG_STATE_HOME: 's', XDG_RUNTIME_DIR: './r' });
    assert.equal(paths.stateDir, '/h/.local/state/epmux');
    assert.equal(paths.runtimeDir, '/h/.local/state/epmux/run');
  });

  it('can be in no place that takes no folders, which is told at once', () => {
    const [dangling, loop] = [join(folder.path, 'dangling'), join(folder.path, 'loop')];
    symlinkSync(join(folder.path, 'nowhere'), dangling);
    symlinkSync(loop, loop);
    const homes = [join(dangling, 'x'), dangling, loop, join(loop, 'x'), `/${'x'.repeat(300)}`];
    if (process.platform === 'linux') homes.push('/proc/x');
    for (const home of homes) {
      const paths = { ...daemonPaths({ EPMUX_HOME: home }), controlSocket: '/short' };
      assert.throws(
        () => ensureFolders(paths),
        { code: 'CONFIG_INVALID', hint: /EPMUX_HOME/ },
        home,
      );
    }
  });

  it('are made as folders for the user alone', () => {
    const paths = daemonPaths({ EPMUX_HOME: join(folder.path, 'x', 'y') });
    ensureFolders(paths);
    for (const path of [paths.stateDir, paths.runtimeDir, paths.secretsDir]) {
      assert.equal(modeOf(path), 0o700);
    }
  });

  it('get their runtime folder back after a logout, once the one above it is there', () => {
    const runtimeHome = join(folder.path, 'user');
    mkdirSync(runtimeHome);
    const env = { HOME: folder.path, XDG_RUNTIME_DIR: runtimeHome };
    const paths = daemonPaths(env);
    rmSync(runtimeHome, { recursive: true });
    assert.throws(() => ensureRuntimeFolder(paths), { code: 'PERMISSION_DENIED' });
    mkdirSync(runtimeHome);
    ensureRuntimeFolder(paths);
    assert.equal(modeOf(paths.runtimeDir), 0o700);
  });

  it('are refused where a file is in their place, or above it', () => {
    const file = join(folder.path, 'file');
    writeFileSync(file, '');
    for (const home of [file, join(file, 'below')]) {
      assert.throws(() => ensureFolders(daemonPaths({ EPMUX_HOME: home })), {
        code: 'CONFIG_INVALID',
        hint: /EPMUX_HOME/,
      });
    }
  });

  it('are closed to others when they were open', () => {
    const home = join(folder.path, 'open');
    mkdirSync(home);
    chmodSync(home, 0o755);
    ensureFolders(daemonPaths({ EPMUX_HOME: home }));
    assert.equal(modeOf(home), 0o700);
  });

  it("are refused when they are another user's", () => {
    const asRoot = process.getuid?.() === 0;
    const home = asRoot ? join(folder.path, 'other') : '/usr';
    if (asRoot) {
      mkdirSync(home);
      chownSync(home, 65_534, 65_534);
    }
    assert.throws(() => ensureFolders(daemonPaths({ EPMUX_HOME: home })), {
      code: 'PERMISSION_DENIED',
    });
  });

  it('are refused when a unix socket can not have one so long', () => {
    checkSocketPath('x'.repeat(103));
    assert.throws(() => checkSocketPath('x'.repeat(104)), { code: 'CONFIG_INVALID' });
    const paths = daemonPaths({ EPMUX_HOME: join(folder.path, 'é'.repeat(50)) });
    assert.throws(() => ensureFolders(paths), /EPMUX_HOME|too long|bytes long/);
  });
});
