import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { appOfRemote, appOfUrl } from '../../src/heroku/git-remote.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { tempFolder } from '../support/temp-folder.ts';

const gitHosts = { ssh: 'heroku.com', https: 'git.heroku.com' };

describe('the app in a remote’s URL', () => {
  const urls: [url: string, app: string | undefined][] = [
    ['https://git.heroku.com/my-app.git', 'my-app'],
    ['https://git.heroku.com/my-app', 'my-app'],
    ['https://heroku:key@git.heroku.com/my-app.git', 'my-app'],
    ['git@heroku.com:my-app.git', 'my-app'],
    ['ssh://git@heroku.com/my-app.git', 'my-app'],
    ['ssh://git@heroku.com:22/my-app.git', 'my-app'],
    ['https://github.com/me/my-app.git', undefined],
    ['https://git.heroku.com.evil.org/my-app.git', undefined],
    ['https://gitxheroku.com/my-app.git', undefined],
    ['https://evil.org/https://git.heroku.com/my-app.git', undefined],
    ['git@heroku.com.evil.org:my-app.git', undefined],
    ['https://git.heroku.com/', undefined],
    ['https://git.heroku.com/a/b.git', undefined],
  ];
  for (const [url, app] of urls) {
    it(`${url} is ${app ?? 'none'}`, () => assert.equal(appOfUrl(url, gitHosts), app));
  }

  it('follows the host that Heroku has', () => {
    const other = { ssh: 'example.com', https: 'git.example.com' };
    assert.equal(appOfUrl('https://git.example.com/a.git', other), 'a');
    assert.equal(appOfUrl('https://git.heroku.com/a.git', other), undefined);
  });
});

describe('the app of a git repository', () => {
  const folder = tempFolder();
  const saved = { ...process.env };
  let repository = '';

  const git = (...args: string[]): void =>
    void execFileSync('git', ['-C', repository, ...args], { stdio: 'ignore' });
  const remote = (name: string, app: string): void =>
    git('remote', 'add', name, `https://git.heroku.com/${app}.git`);
  const ask = (name?: string, where = repository) =>
    appOfRemote({ folder: where, remote: name, gitHosts });
  const refused = (asked: Promise<string>, code: string, text: RegExp) =>
    assert.rejects(asked, (error) => {
      assert.ok(error instanceof EpmuxError);
      assert.equal(error.code, code);
      assert.match(error.message, text);
      assert.match(error.hint, /-a APP/);
      return true;
    });

  beforeEach(() => {
    Object.assign(process.env, { HOME: folder.path, GIT_CONFIG_NOSYSTEM: '1' });
    delete process.env['XDG_CONFIG_HOME'];
    repository = join(folder.path, 'repository');
    mkdirSync(repository);
    git('init', '-q');
  });
  afterEach(() => {
    process.env = { ...saved };
  });

  it('is that of the remote called heroku', async () => {
    remote('staging', 'other');
    remote('heroku', 'my-app');
    assert.equal(await ask(), 'my-app');
  });

  it('is that of the remote that is named', async () => {
    remote('heroku', 'my-app');
    remote('staging', 'other');
    assert.equal(await ask('staging'), 'other');
  });

  it('is that of the only remote that leads to Heroku', async () => {
    git('remote', 'add', 'origin', 'https://github.com/me/it.git');
    remote('production', 'my-app');
    assert.equal(await ask(), 'my-app');
  });

  it('is found from folders below, in linked work trees, through includes and insteadOf', async () => {
    const included = join(folder.path, 'included');
    writeFileSync(
      included,
      '[url "https://git.heroku.com/"]\n\tinsteadOf = h:\n[remote "heroku"]\n\turl = h:my-app.git\n',
    );
    git('config', 'include.path', included);
    git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-q', '--allow-empty', '-m', 'a');
    git('worktree', 'add', '-q', join(folder.path, 'linked'));
    mkdirSync(join(repository, 'a/b'), { recursive: true });
    assert.equal(await ask(undefined, join(repository, 'a/b')), 'my-app');
    assert.equal(await ask(undefined, join(folder.path, 'linked')), 'my-app');
  });

  it('is not guessed when several remotes lead to Heroku', async () => {
    remote('production', 'one');
    remote('staging', 'two');
    await refused(ask(), 'USAGE', /production \(one\), staging \(two\)/);
  });

  it('is unknown when no remote leads there', async () => {
    git('remote', 'add', 'origin', 'https://github.com/me/it.git');
    await refused(ask(), 'USAGE', /no git remote/i);
  });

  it('is unknown when the named remote is not there or leads elsewhere', async () => {
    git('remote', 'add', 'origin', 'https://github.com/me/it.git');
    remote('heroku', 'my-app');
    await refused(ask('nope'), 'APP_NOT_FOUND', /no git remote nope.*heroku \(my-app\)/);
    await refused(ask('origin'), 'APP_NOT_FOUND', /origin does not lead to Heroku/);
  });

  it('is unknown outside of a repository', async () => {
    process.env['GIT_CEILING_DIRECTORIES'] = folder.path;
    await refused(ask(undefined, folder.path), 'USAGE', /no git repository/);
  });

  it('is unknown where git is not installed', async () => {
    remote('heroku', 'my-app');
    process.env['PATH'] = join(folder.path, 'nothing');
    await refused(ask(), 'USAGE', /git is not installed/);
  });
});
