import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PROCESS_LIMITS } from '../../src/agent/beam-processes.ts';
import { type CookieSurroundings, searchCookies } from '../../src/agent/cookie-places.ts';
import { tempFolder } from '../support/temp-folder.ts';

const NODE = 'app@dyno';

describe('the search for cookies', () => {
  const temp = tempFolder();
  let folder: string;
  let around: CookieSurroundings;

  beforeEach(() => {
    folder = temp.path;
    around = {
      proc: join(folder, 'proc'),
      uid: process.getuid?.() ?? 0,
      env: {},
      home: join(folder, 'home'),
    };
    mkdirSync(around.proc);
  });

  function file(path: string, text: string): void {
    const whole = join(folder, path);
    mkdirSync(dirname(whole), { recursive: true });
    writeFileSync(whole, text);
  }

  /** A process as /proc shows it. */
  function started(
    pid: number,
    words: readonly string[],
    env: Readonly<Record<string, string>> = {},
    comm = 'beam.smp',
    parent = 1,
  ): void {
    file(`proc/${pid}/comm`, `${comm}\n`);
    file(`proc/${pid}/stat`, `${pid} (${comm} ) x) S ${parent} 1 1 0`);
    file(`proc/${pid}/cmdline`, `${words.join('\0')}\0`);
    const pairs = Object.entries(env).map(([name, value]) => `${name}=${value}\0`);
    file(`proc/${pid}/environ`, pairs.join(''));
  }

  const found = async (node = NODE, more: Partial<CookieSurroundings> = {}): Promise<string[]> =>
    (await searchCookies(node, { ...around, ...more })).candidates.map(({ cookie }) => cookie);

  it('finds nothing where there is nothing', async () => {
    assert.deepEqual(await found(), []);
    assert.deepEqual(await found(NODE, { proc: join(folder, 'none') }), []);
  });

  it("looks into the agent's own environment and home folder", async () => {
    file('home/.erlang.cookie', 'from home\n');
    file('home/.config/erlang/.erlang.cookie', 'from config');
    file('xdg/erlang/.erlang.cookie', 'from xdg');
    const env = { ERLANG_COOKIE: 'third', EPMUX_COOKIE: 'second', RELEASE_COOKIE: 'first' };
    assert.deepEqual(await found(NODE, { env }), [
      ...['first', 'second', 'third', 'from home', 'from config'],
    ]);
    assert.deepEqual(await found(NODE, { env: { XDG_CONFIG_HOME: join(folder, 'xdg') } }), [
      ...['from home', 'from xdg'],
    ]);
  });

  it("looks at a BEAM's command line, environment, release and home folder", async () => {
    file('release/releases/COOKIE', 'of the release');
    file('app/.erlang.cookie', 'of its home');
    const env = {
      HOME: join(folder, 'app'),
      RELEASE_ROOT: join(folder, 'release'),
      RELEASE_COOKIE: 'of its environment',
    };
    started(7, ['beam.smp', '--', '-sname', 'app', '-setcookie', 'of its flags'], env);
    const { candidates, looked } = await searchCookies(NODE, around);
    assert.deepEqual(candidates, [
      { cookie: 'of its flags', where: '-setcookie of process 7' },
      { cookie: 'of its environment', where: 'RELEASE_COOKIE of process 7' },
      { cookie: 'of the release', where: 'releases/COOKIE of process 7' },
      { cookie: 'of its home', where: '.erlang.cookie of process 7' },
    ]);
    assert.match(looked, /1 Erlang process of its user/);
  });

  it('begins with what the node itself has, then the agent, then the others', async () => {
    started(5, ['beam.smp', '-name', 'other@dyno', '-setcookie', 'other']);
    started(6, ['beam.smp', '-sname', 'app@elsewhere', '-setcookie', 'elsewhere']);
    started(7, ['beam.smp', '-sname', NODE, '-setcookie', 'itself']);
    started(8, ['beam.smp', '-setcookie', 'by release'], { RELEASE_NODE: 'app' });
    const env = { RELEASE_COOKIE: 'agent' };
    assert.deepEqual(await found(NODE, { env }), [
      ...['itself', 'by release', 'agent', 'other', 'elsewhere'],
    ]);
    assert.deepEqual((await found('other@dyno', { env }))[0], 'other');
  });

  it('names no cookie twice', async () => {
    started(7, ['beam.smp', '-sname', 'app', '-setcookie', 'same'], { RELEASE_COOKIE: 'same' });
    assert.deepEqual(await found(NODE, { env: { RELEASE_COOKIE: 'same' } }), ['same']);
  });

  it('leaves blanks where Erlang and a release do', async () => {
    file('home/.erlang.cookie', ' of home  \r\n\n');
    file('home/.config/erlang/.erlang.cookie', 'refused by Erlang\t\n');
    file('release/releases/COOKIE', ' of the release \n\n');
    started(7, ['beam.smp', '-setcookie', ' flag '], { RELEASE_ROOT: join(folder, 'release') });
    assert.deepEqual(await found(), [' of home  ', ' flag ', ' of the release ']);
  });

  it('takes a text for its characters and for its bytes, as the locale of the node may do', async () => {
    started(7, ['beam.smp', '-sname', 'app', '-setcookie', 'schlüssel'], { RELEASE_COOKIE: '€' });
    assert.deepEqual(await found(), ['schl\xfcssel', 'schl\xc3\xbcssel', '\xe2\x82\xac']);
  });

  it('takes the last -setcookie of the emulator for itself, not what is about another node', async () => {
    const lines = {
      last: ['-setcookie', 'first', '-setcookie', 'last'],
      before: ['-setcookie', 'before', '-extra', '-setcookie', 'a word of the program'],
      own: ['-setcookie', 'own', '-setcookie', 'peer@host', 'peers'],
    };
    for (const [cookie, words] of Object.entries(lines)) {
      started(7, ['beam.smp', '-sname', 'app', ...words]);
      assert.deepEqual(await found(), [cookie]);
    }
    for (const words of [['-setcookie'], ['-setcookie', '-noshell'], ['-setcookie', '']]) {
      started(7, ['beam.smp', '-sname', 'app', ...words]);
      assert.deepEqual(await found(), []);
    }
  });

  it('knows a BEAM of another name by its helper', async () => {
    started(7, ['my_vm', '-sname', 'app', '-setcookie', 'renamed'], {}, 'my_vm');
    assert.deepEqual(await found(), []);
    started(8, ['erl_child_setup', '1024'], {}, 'erl_child_setup', 7);
    assert.deepEqual(await found(), ['renamed']);
  });

  it('leaves alone what belongs to other users, and what is no BEAM', async () => {
    started(7, ['beam.smp', '-sname', 'app', '-setcookie', 'a'], { RELEASE_COOKIE: 'b' });
    assert.deepEqual(await found(NODE, { uid: around.uid + 1 }), []);
    started(
      7,
      ['postgres', '-sname', 'app', '-setcookie', 'a'],
      { RELEASE_COOKIE: 'b' },
      'postgres',
    );
    assert.deepEqual(await found(), []);
  });

  it('takes nothing that can be no cookie', async () => {
    file('home/.erlang.cookie', 'x'.repeat(300));
    for (const wrong of ['', 'a\nb', 'a\u007fb', '€'.repeat(86), 'x'.repeat(256)]) {
      assert.deepEqual(await found(NODE, { env: { RELEASE_COOKIE: wrong } }), []);
    }
    const longest = 'x'.repeat(255);
    assert.deepEqual(await found(NODE, { env: { RELEASE_COOKIE: longest } }), [longest]);
  });

  it('does not wait for a pipe, nor read a folder, in place of a file', async () => {
    mkdirSync(join(folder, 'home'), { recursive: true });
    execFileSync('mkfifo', [join(folder, 'home', '.erlang.cookie')]);
    mkdirSync(join(folder, 'home/.config/erlang/.erlang.cookie'), { recursive: true });
    started(7, ['beam.smp', '-sname', 'app'], { RELEASE_ROOT: 'releases' });
    assert.deepEqual(await found(), []);
  });

  it('reads no more than so many processes and bytes', async () => {
    for (let pid = 1; pid <= PROCESS_LIMITS.beams + 3; pid += 1) {
      started(pid, ['beam.smp', '-setcookie', `c${pid}`]);
    }
    assert.equal((await found()).length, PROCESS_LIMITS.beams);
    const filling = 'x'.repeat(PROCESS_LIMITS.environmentBytes);
    started(1, ['beam.smp'], { FILLING: filling, RELEASE_COOKIE: 'far behind' });
    assert(!(await found()).includes('far behind'));
  });
});
