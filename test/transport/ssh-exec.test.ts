import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Carrier, ExecRequest, RemoteProcess } from '../../src/transport/transport.ts';
import { pattern } from '../support/pattern.ts';
import { own } from '../support/recording-pipe.ts';
import { startSshd, type TestSshd } from '../support/sshd.ts';
import { connectTo, until } from './ssh-support.ts';

const never = new AbortController().signal;
const CHUNK = 64 * 1024;
const TERMINAL = { term: 'xterm-256color', columns: 100, rows: 30 } as const;

/** Counts bytes, and tells when there are enough. */
function counter() {
  let count = 0;
  let enough = Number.POSITIVE_INFINITY;
  let tell: () => void = () => {};
  return {
    add(chunk: Uint8Array): void {
      count += chunk.length;
      if (count >= enough) tell();
    },
    reach(bytes: number): Promise<void> {
      enough = bytes;
      return count >= bytes ? Promise.resolve() : new Promise((resolve) => (tell = resolve));
    },
  };
}

/** Until the figure has not moved for a while. Too early on a slow machine, it only asks less. */
async function standstill(figure: () => number): Promise<void> {
  for (let still = 0, last = -1; still < 6; ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    still = figure() === last ? still + 1 : 0;
    last = figure();
  }
}

describe('a command over SSH', () => {
  let sshd: TestSshd;
  let carrier: Carrier;

  before(async () => {
    sshd = await startSshd();
    carrier = await connectTo(sshd);
  });
  after(async () => {
    carrier.close();
    await sshd.stop();
  });

  const start = (
    command: string | undefined,
    terminal?: ExecRequest['terminal'],
  ): Promise<RemoteProcess> => {
    assert.ok(carrier.exec);
    return carrier.exec({ command, terminal }, never);
  };

  /** Runs it to its end, with empty stdin. */
  const run = async (command: string) => {
    const remote = await start(command);
    let stderr = '';
    remote.onStderr((chunk) => {
      stderr += Buffer.from(chunk).toString();
    });
    const owner = own(remote.io);
    remote.io.end();
    await owner.called('closed');
    return { stdout: owner.text, stderr, owner, ...(await remote.exited) };
  };

  it('tells its exit code', async () => {
    const result = await run("sh -c 'exit 7'");
    assert.equal(result.code, 7);
    assert.equal(result.signal, undefined);
    assert.equal(result.owner.error, undefined);
  });

  it('tells the signal that ended it', async () => {
    const result = await run("sh -c 'kill -TERM $$'");
    assert.deepEqual([result.code, result.signal], [undefined, 'SIGTERM']);
  });

  it('keeps stdout and stderr apart, and is not over before both were delivered', async () => {
    const result = await run('for i in 1 2 3; do echo out$i; echo err$i >&2; done');
    assert.equal(result.stdout, 'out1\nout2\nout3\n');
    assert.equal(result.stderr, 'err1\nerr2\nerr3\n');
  });

  it('is not over before stderr was delivered that had been held back', async () => {
    const remote = await start('head -c 1000000 /dev/zero >&2');
    let errors = 0;
    remote.onStderr((chunk) => {
      errors += chunk.length;
    });
    const owner = own(remote.io);
    remote.io.pause();
    await remote.exited;
    assert.deepEqual([errors, owner.calls], [0, []]);
    remote.io.resume();
    await owner.called('closed');
    assert.equal(errors, 1_000_000);
  });

  it('goes on after its stdout has ended, to its exit code', async () => {
    const result = await run('echo done; exec >&- 2>&-; sleep 0.2; exit 9');
    assert.deepEqual([result.stdout, result.code], ['done\n', 9]);
    assert.deepEqual(result.owner.calls.slice(-2), ['end', 'closed']);
  });

  it('ends in order though nobody has ended its stdin', async () => {
    const remote = await start('exit 3');
    const owner = own(remote.io);
    await owner.called('closed');
    assert.equal(owner.error, undefined);
    assert.equal((await remote.exited).code, 3);
  });

  it('carries 50 MB through cat, byte for byte', async () => {
    const total = 800 * CHUNK;
    const remote = await start('cat');
    const received = createHash('sha256');
    const sent = createHash('sha256');
    let size = 0;
    const owner = own(remote.io);
    owner.onBytes = (chunk) => {
      received.update(chunk);
      size += chunk.length;
    };
    let writable: () => void = () => {};
    owner.onWritable = () => writable();
    for (let at = 0; at < total; at += CHUNK) {
      const chunk = pattern(1, at, CHUNK);
      sent.update(chunk);
      if (remote.io.write(chunk)) continue;
      await new Promise<void>((resolve) => {
        writable = resolve;
      });
    }
    remote.io.end();
    await owner.called('closed');
    assert.equal(size, total);
    assert.equal(received.digest('hex'), sent.digest('hex'));
    assert.equal((await remote.exited).code, 0);
  });

  it('loses nothing when its stdin ends early and its output comes late', async () => {
    const remote = await start('sleep 0.2; wc -c; head -c 300000 /dev/zero');
    const owner = own(remote.io);
    remote.io.write(Buffer.alloc(10_000));
    remote.io.end();
    await owner.called('closed');
    assert.equal(owner.bytes.length, 300_000 + '10000\n'.length);
  });

  describe('that writes without end', () => {
    const ROUND = 200_000;
    /** More rounds than all buffers on the way hold. */
    const TOO_MANY = 60;
    let rounds: () => number;
    let flood: (big: 'stdout' | 'stderr') => string;

    beforeEach(() => {
      const file = join(sshd.folder, 'rounds');
      writeFileSync(file, '');
      rounds = () => statSync(file).size;
      flood = (big) => {
        const [bytes, word] = big === 'stdout' ? ['', '>&2'] : ['>&2', ''];
        return `while head -c ${ROUND} /dev/zero ${bytes} && echo word ${word}; do printf x >>${file}; done`;
      };
    });

    it('stands still while its stdout is held, though words on stderr come in between', async () => {
      const remote = await start(flood('stdout'));
      const errors = counter();
      remote.onStderr(errors.add);
      const bytes = counter();
      own(remote.io).onBytes = bytes.add;
      remote.io.pause();
      await standstill(rounds);
      assert.ok(rounds() < TOO_MANY, `${rounds()} rounds were taken though nobody reads`);
      remote.io.resume();
      await Promise.all([bytes.reach(100 * ROUND), errors.reach(300)]);
      remote.close();
    });

    it('stands still while its stderr is held, though words on stdout come in between', async () => {
      const remote = await start(flood('stderr'));
      const bytes = counter();
      own(remote.io).onBytes = bytes.add;
      await standstill(rounds);
      assert.ok(rounds() < TOO_MANY, `${rounds()} rounds were taken though nobody listens`);
      const errors = counter();
      remote.onStderr(errors.add);
      await Promise.all([errors.reach(100 * ROUND), bytes.reach(300)]);
      remote.close();
    });

    it('stands still while its stderr floods a listener that pauses it', async () => {
      const remote = await start(flood('stderr'));
      const errors = counter();
      own(remote.io);
      remote.onStderr(errors.add);
      remote.io.pause();
      await standstill(rounds);
      assert.ok(rounds() < TOO_MANY, `${rounds()} rounds were taken though it is paused`);
      remote.io.resume();
      await errors.reach(100 * ROUND);
      remote.close();
    });

    it('goes on when it is held back time and again', async () => {
      const remote = await start(flood('stdout'));
      const bytes = counter();
      const owner = own(remote.io);
      remote.onStderr(() => {});
      owner.onBytes = (chunk) => {
        bytes.add(chunk);
        remote.io.pause();
        setImmediate(() => remote.io.resume());
      };
      await bytes.reach(100 * ROUND);
      remote.close();
    });
  });

  it('takes signals, also after its stdin has ended', async () => {
    for (const ended of [false, true]) {
      const seen = sshd.log().length;
      const remote = await start('echo ready; exec sleep 20');
      const owner = own(remote.io);
      if (ended) remote.io.end();
      await owner.called('bytes');
      remote.signal('SIGTERM');
      if (process.getuid?.() === 0) {
        // OpenSSH passes no signals on to a process of root; it says so.
        await until(() => /session_signal_req/.test(sshd.log().slice(seen)));
        remote.close();
      } else {
        await owner.called('closed');
        assert.deepEqual(await remote.exited, { code: undefined, signal: 'SIGTERM' });
      }
    }
  });

  it('refuses a signal that SSH can’t name', async () => {
    const remote = await start('cat');
    assert.throws(() => remote.signal('SIGWINCH'), { code: 'USAGE' });
    remote.close();
  });

  it('is over at once when it is closed, and then takes nothing', async () => {
    const remote = await start('cat');
    const owner = own(remote.io);
    remote.close();
    remote.close();
    remote.resize(1, 1);
    remote.signal('TERM');
    await owner.called('closed');
    assert.equal(owner.error, undefined);
    assert.deepEqual(await remote.exited, { code: undefined, signal: undefined });
  });

  it('breaks off with PIPE_LOST when the connection is lost', async () => {
    const other = await connectTo(sshd);
    assert.ok(other.exec);
    const remote = await other.exec({ command: 'cat' }, never);
    const owner = own(remote.io);
    other.close();
    await owner.called('closed');
    assert.equal(owner.error?.code, 'PIPE_LOST');
    assert.deepEqual(await remote.exited, { code: undefined, signal: undefined });
    await assert.rejects(other.exec({ command: 'true' }, never), { code: 'PIPE_LOST' });
  });

  it('has the terminal that was asked for, and hears of its new size', async function () {
    if (!sshd.terminals) this.skip();
    const remote = await start('echo $TERM; stty size; read line; stty size', TERMINAL);
    const owner = own(remote.io);
    await owner.until(() => owner.text.includes('30 100'));
    assert.match(owner.text, /xterm-256color/);
    remote.resize(132, 50);
    remote.io.write(Buffer.from('\r'));
    await owner.called('closed');
    assert.match(owner.text, /50 132/);
  });

  it('hears Ctrl-C through the terminal', async function () {
    if (!sshd.terminals) this.skip();
    const remote = await start('echo ready; exec sleep 20', TERMINAL);
    const owner = own(remote.io);
    await owner.called('bytes');
    remote.io.write(Buffer.from([3]));
    await owner.called('closed');
    assert.deepEqual(await remote.exited, { code: undefined, signal: 'SIGINT' });
  });

  it('is the login shell where none is named, with and without a terminal', async () => {
    for (const terminal of sshd.terminals ? [undefined, TERMINAL] : [undefined]) {
      const remote = await start(undefined, terminal);
      const owner = own(remote.io);
      remote.io.write(Buffer.from('test -t 0 && echo "a term""inal"; exit 4\n'));
      await owner.called('closed');
      assert.equal((await remote.exited).code, 4);
      assert.equal(owner.text.includes('a terminal'), terminal !== undefined);
    }
  });

  it('is refused in words of its own by a server that gives no terminal', async () => {
    const strict = await startSshd({ config: ['PermitTTY no'] });
    try {
      const other = await connectTo(strict);
      assert.ok(other.exec);
      await assert.rejects(other.exec({ command: 'true', terminal: TERMINAL }, never), {
        code: 'EXEC_REFUSED',
      });
      other.close();
    } finally {
      await strict.stop();
    }
  });

  it('is given up when told to', async () => {
    assert.ok(carrier.exec);
    await assert.rejects(carrier.exec({ command: 'cat' }, AbortSignal.abort()), {
      code: 'INTERRUPTED',
    });
  });
});
