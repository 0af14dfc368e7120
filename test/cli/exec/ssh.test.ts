import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { shellQuoted } from '../../../src/runtime/programs.ts';
import { CliHome, type CliRun, outcome } from '../../support/cli.ts';
import { EPMUX } from '../../support/dyno.ts';
import { within } from '../../support/erlang.ts';
import { leaveOut, NO_TERMINALS } from '../../support/left-out.ts';
import { pattern } from '../../support/pattern.ts';
import { startSshd, type TestSshd } from '../../support/sshd.ts';

const CHUNK = 64 * 1024;
/** Two signals at once may be one for who gets them. */
const PASSED_ON_MS = 200;

describe('epmux exec --ssh', () => {
  let sshd: TestSshd;
  let home: CliHome;
  let way: readonly string[];

  before(async () => {
    sshd = await startSshd();
    home = await CliHome.make();
    await home.write('.ssh/known_hosts', readFileSync(sshd.knownHostsFile, 'utf8'));
    way = ['--ssh', `${sshd.host}:${sshd.port}`, '--identity', sshd.identityFile];
  });
  after(async () => {
    await home.remove();
    await sshd.stop();
  });

  const run = (args: readonly string[], stdin?: string): Promise<CliRun> =>
    home.run(['exec', ...way, ...args], stdin === undefined ? {} : { stdin });
  const start = (args: readonly string[]): ChildProcess => home.start(['exec', ...way, ...args]);

  /**
   * In a terminal of its own, of 33 rows and 101 columns; `keys` are typed once `after` is seen.
   */
  const inTerminal = async (script: string, keys?: { after: string; text: string }) => {
    const child = spawn('script', ['-qec', `stty rows 33 cols 101; ${script}`, '/dev/null'], {
      cwd: home.folder,
      env: { ...home.env, SHELL: '/bin/sh', TERM: 'vt100' },
    });
    let seen = '';
    child.stdout.on('data', (chunk: Buffer) => {
      const before = seen.includes(keys?.after ?? '\0');
      seen += chunk.toString();
      if (keys !== undefined && !before && seen.includes(keys.after)) child.stdin.write(keys.text);
    });
    const ended = outcome(child, script);
    return { ...(await ended), stdout: seen };
  };
  const line = (args: readonly string[]): string =>
    [...EPMUX, 'exec', ...way, ...args].map(shellQuoted).join(' ');

  it('exits with the code of the command', async () => {
    const { code, stdout, stderr } = await run(['--', 'sh', '-c', 'exit 7']);
    assert.deepEqual({ code, stdout, stderr }, { code: 7, stdout: '', stderr: '' });
  });

  it('exits with 128+n when a signal ended the command', async () => {
    assert.equal((await run(['--', 'kill -TERM $$'])).code, 143);
  });

  it('keeps stdout and stderr apart', async () => {
    const { stdout, stderr } = await run(['--', 'echo out; echo err >&2']);
    assert.deepEqual([stdout, stderr], ['out\n', 'err\n']);
  });

  it('takes one word as a line, and keeps several words as they are', async () => {
    const words = ["it's", 'a  b', '$HOME', '*', '', '"', '\\', 'x\ny', '`id`'];
    const { stdout } = await run(['--', 'printf', '<%s>', ...words]);
    assert.equal(stdout, words.map((word) => `<${word}>`).join(''));
    assert.equal((await run(['--', 'echo $((1 + 2)) | cat'])).stdout, '3\n');
  });

  it('hands 50 MB to the command of --pipe and back, byte for byte', async () => {
    const child = start(['--pipe', 'cat']);
    const [sent, received] = [createHash('sha256'), createHash('sha256')];
    child.stdout?.on('data', (chunk: Buffer) => received.update(chunk));
    for (let at = 0; at < 800 * CHUNK; at += CHUNK) {
      const chunk = pattern(1, at, CHUNK);
      sent.update(chunk);
      if (child.stdin?.write(chunk) === false) await once(child.stdin, 'drain');
    }
    child.stdin?.end();
    const [code] = await once(child, 'close');
    assert.equal(code, 0);
    assert.equal(received.digest('hex'), sent.digest('hex'));
  });

  it('goes on to the end of the command when stdin is closed', async () => {
    const shell = spawn('sh', ['-c', `${line(['--', 'sleep 0.3; echo late'])} <&-`], {
      env: home.env,
    });
    const { code, stdout } = await outcome(shell, 'a closed stdin');
    assert.deepEqual([code, stdout], [0, 'late\n']);
  });

  it('feeds a login shell from stdin where there is no terminal', async () => {
    const { code, stdout } = await run([], 'tty; echo $0; exit 3\n');
    assert.equal(code, 3);
    assert.match(stdout, /^not a tty\n-/);
  });

  it('ends when nobody reads its output any more', async () => {
    const shell = spawn('sh', ['-c', `${line(['--', 'yes'])} | head -n 1`], { env: home.env });
    const { stdout, stderr } = await outcome(shell, 'a reader that is gone');
    assert.deepEqual([stdout, stderr], ['y\n', '']);
  });

  it('goes on when nobody reads its stderr any more', async () => {
    const child = start(['--', 'echo first >&2; read go; head -c 3000000 /dev/zero >&2; echo end']);
    child.stderr?.once('data', () => {
      child.stderr?.destroy();
      child.stdin?.end('go\n');
    });
    const { code, stdout } = await outcome(child, 'a reader of stderr that is gone');
    assert.deepEqual([code, stdout], [0, 'end\n']);
  });

  const root = process.getuid?.() === 0 ? ' (of root: OpenSSH passes none on)' : '';
  it(`hands SIGINT to the command${root}, and exits with 130`, async () => {
    const child = start([
      '--',
      'trap "echo got it; exit 9" INT; echo ready; for i in $(seq 200); do sleep 0.05; done',
    ]);
    child.stdout?.once('data', () => child.kill('SIGINT'));
    const { code, stdout } = await outcome(child, 'SIGINT');
    const answer = root === '' ? 'got it\n' : '';
    assert.deepEqual([code, stdout], [130, `ready\n${answer}`]);
  });

  it('ends at a signal though nobody reads on: 3 s later, or at the second one', async () => {
    for (const [signals, code] of [
      [['SIGTERM'], 143],
      [['SIGINT', 'SIGTERM'], 130],
    ] as const) {
      const child = start(['--', 'yes']);
      const exit = within(once(child, 'exit'), () => `epmux exec stays after ${signals}`);
      // Full, and read no further.
      await once(child.stdout ?? child, 'readable');
      for (const name of signals) {
        child.kill(name);
        await delay(PASSED_ON_MS);
      }
      assert.deepEqual(await exit, [code, null]);
    }
  });

  it('tells it when the connection breaks', async () => {
    const child = start(['--', 'echo ready; sleep 60']);
    child.stdout?.once('data', () => void sshd.resetConnections());
    const { code, stderr } = await outcome(child, 'a reset');
    assert.equal(code, 3);
    assert.match(stderr, /\(PIPE_LOST\)\nhint: the command may go on there/);
    assert.doesNotMatch(stderr, /\n {4}at /);
  });

  it('says where a command stands to who left -- out', async () => {
    const { code, stderr } = await home.run(['exec', 'ls']);
    assert.equal(code, 4);
    assert.match(stderr, /hint: if ls is a command, it stands behind --/);
  });

  it('takes no command for a name, whatever says where to', async () => {
    for (const there of [
      ['--ssh', 'host'],
      ['-a', 'my-app'],
      ['-r', 'heroku', '-d', 'web.1'],
    ]) {
      const { code, stdout, stderr } = await home.run(['exec', ...there, 'ls']);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /^epmux: --(ssh|app|remote) and ls exclude each other: .* \(USAGE\)\n/);
      assert.match(
        stderr,
        /hint: if ls is a command, it stands behind --: `epmux exec --\S+ \S+ --/,
      );
    }
  });

  describe('in a terminal', () => {
    before(function () {
      if (!sshd.terminals) leaveOut(this, NO_TERMINALS);
    });

    it('is a login shell of that size and kind, and exits with its code', async () => {
      const keys = { after: '$ ', text: 'stty size; echo $TERM $0; exit 5\n' };
      const shell = `PS1='$ ' ${line([])}`;
      const { code, stdout } = await inTerminal(shell, {
        ...keys,
        after: sshd.user === 'root' ? '# ' : '$ ',
      });
      assert.equal(code, 5);
      assert.match(stdout, /33 101\r\nvt100 -/);
    });

    it('hands on new sizes', async () => {
      const ready = join(home.folder, 'ready');
      const resize = `(until [ -e ${ready} ]; do sleep 0.05; done; stty rows 40 cols 120 </dev/tty) &`;
      const command = `trap 'stty size; exit 4' WINCH; touch ${ready}; while :; do sleep 0.05; done`;
      const { code, stdout } = await inTerminal(`${resize} ${line(['--', 'bash', '-c', command])}`);
      assert.deepEqual([code, stdout], [4, '40 120\r\n']);
    });

    it('hands on every key', async () => {
      const { code, stdout } = await inTerminal(
        line(['--', 'stty raw -echo; echo ready; head -c 4 | od -An -tx1']),
        { after: 'ready', text: '\x03\x1a\x1c\x04' },
      );
      assert.equal(code, 0);
      assert.match(stdout, /03 1a 1c 04/);
    });

    it('leaves the terminal as it was, also when it is killed', async () => {
      const files = ['a', 'b', 'c', 'd'].map((name) => join(home.folder, name));
      const [before, after] = files;
      const settings = async (script: string, keys?: { after: string; text: string }) => {
        await inTerminal(`stty -g > ${before}; ${script}; stty -g > ${after}`, keys);
        const [was, is] = [before, after].map((file) => readFileSync(file ?? '', 'utf8'));
        assert.equal(is, was);
      };
      await settings(line(['--', 'true']));
      const kill = `(until [ -e ${files[2]} ]; do sleep 0.05; done; kill -TERM $$) & exec`;
      const program = `sh -c ${shellQuoted(`${kill} ${line(['--', `touch ${files[2]}; sleep 60`])}`)}`;
      await settings(program);
      assert.ok(existsSync(files[2] ?? ''));
    });

    it('is none with -T, and one with -t whatever is here', async () => {
      assert.match((await inTerminal(line(['-T', '--', 'tty']))).stdout, /not a tty/);
      assert.match((await run(['-t', '--', 'tty'])).stdout, /^\/dev\//);
    });
  });
});
