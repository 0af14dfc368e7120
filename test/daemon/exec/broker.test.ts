import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { ExecBroker } from '../../../src/daemon/exec/broker.ts';
import { connectProcess } from '../../../src/daemon/exec/client.ts';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import type { ProcessExit, RemoteProcess } from '../../../src/transport/transport.ts';
import { DEFAULT_LIMITS } from '../../support/default-limits.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MemoryPipe } from '../../support/memory-pipe.ts';
import { own } from '../../support/recording-pipe.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

const WINDOW = 256 * 1024;

/** A process in a dyno that does as the test says. */
class ScriptedProcess implements RemoteProcess {
  readonly io = new MemoryPipe();
  readonly told: unknown[] = [];
  closed = false;
  stderr: (chunk: Uint8Array) => void = () => {};
  exit: (exit: ProcessExit) => void = () => {};
  readonly exited = new Promise<ProcessExit>((resolve) => {
    this.exit = resolve;
  });

  onStderr(listener: (chunk: Uint8Array) => void): void {
    this.stderr = listener;
  }

  resize(columns: number, rows: number): void {
    this.told.push([columns, rows]);
  }

  signal(name: string): void {
    this.told.push(name);
  }

  close(): void {
    this.closed = true;
  }

  get stdin(): Buffer {
    return Buffer.concat(this.io.written);
  }
}

describe('a process that the daemon hands over', () => {
  const folder = tempFolder();
  let clock: ManualClock;
  let broker: ExecBroker;
  let remote: ScriptedProcess;
  const connected: RemoteProcess[] = [];

  beforeEach(() => {
    clock = new ManualClock();
    broker = new ExecBroker({ folder: folder.path, clock, most: DEFAULT_LIMITS.execProcesses });
    remote = new ScriptedProcess();
  });
  afterEach(() => {
    for (const process of connected.splice(0)) process.close();
    broker.close();
  });

  const open = async () => {
    const process = await connectProcess(await broker.open(async () => remote));
    connected.push(process);
    const owner = own(process.io);
    let stderr = '';
    process.onStderr((chunk) => {
      stderr += Buffer.from(chunk).toString();
    });
    await until(() => remote.io.handlers !== undefined);
    return { process, owner, stderr: () => stderr };
  };

  it('has a socket of its own, for this user and for one connection', async () => {
    const path = await broker.open(async () => remote);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const first = connect(path);
    await once(first, 'connect');
    await until(() => !existsSync(path));
    first.destroy();
    await until(() => remote.closed);
  });

  it('is ended when nobody connects', async () => {
    await broker.open(async () => remote);
    clock.advance(5_000);
    assert.ok(remote.closed);
    assert.deepEqual(readdirSync(folder.path), []);
  });

  it('tells why it could not start, and leaves no socket', async () => {
    const refused = new EpmuxError('EXEC_REFUSED', 'no');
    await assert.rejects(
      broker.open(() => Promise.reject(refused)),
      refused,
    );
    assert.deepEqual(readdirSync(folder.path), []);
  });

  it('is refused when there are too many', async () => {
    for (let i = 0; i < 64; i += 1) await broker.open(async () => new ScriptedProcess());
    await assert.rejects(
      broker.open(async () => remote),
      { code: 'BUSY' },
    );
  });

  it('is heard and told everything', async () => {
    const { process, owner, stderr } = await open();
    process.io.write(Buffer.from('in'));
    process.resize(120, 40);
    process.signal('SIGINT');
    process.io.end();
    await until(() => remote.io.ended);
    assert.equal(remote.stdin.toString(), 'in');
    assert.deepEqual(remote.told, [[120, 40], 'SIGINT']);
    remote.io.handlers?.onBytes(Buffer.from('out'));
    remote.stderr(Buffer.from('err'));
    remote.io.handlers?.onEnd();
    remote.exit({ code: 7, signal: undefined });
    remote.io.handlers?.onClosed(undefined);
    await owner.called('closed');
    assert.deepEqual([owner.text, stderr(), owner.error], ['out', 'err', undefined]);
    assert.deepEqual(await process.exited, { code: 7, signal: undefined });
  });

  it('tells how it was lost', async () => {
    const { process, owner } = await open();
    remote.exit({ code: undefined, signal: undefined });
    remote.io.handlers?.onClosed(new EpmuxError('PIPE_LOST', 'broke', { hint: 'look' }));
    await owner.called('closed');
    assert.deepEqual([owner.error?.code, owner.error?.message], ['PIPE_LOST', 'broke']);
    assert.deepEqual(await process.exited, { code: undefined, signal: undefined });
  });

  it('is lost when the daemon goes, and ends when the command goes', async () => {
    const { process, owner } = await open();
    broker.close();
    assert.ok(remote.closed);
    process.close();
    await owner.called('closed');
    assert.deepEqual(await process.exited, { code: undefined, signal: undefined });
  });

  it('is held back by a command that does not read, and hears a signal all the same', async () => {
    const { process, owner } = await open();
    process.io.pause();
    let sent = 0;
    while (!remote.io.paused && sent < 4 * WINDOW) {
      remote.io.handlers?.onBytes(Buffer.alloc(32 * 1024, sent & 255));
      sent += 32 * 1024;
    }
    assert.equal(sent, WINDOW);
    process.signal('INT');
    await until(() => remote.told.length > 0);
    assert.equal(owner.bytes.length, 0);
    process.io.resume();
    await until(() => !remote.io.paused);
    assert.equal(owner.bytes.length, WINDOW);
  });

  it('holds a command back whose stdin it does not take, and hears a signal all the same', async () => {
    const { process, owner } = await open();
    remote.io.takes = false;
    const chunk = Buffer.alloc(32 * 1024);
    let written = 0;
    for (let room = true; room && written < 4 * WINDOW; written += chunk.length) {
      room = process.io.write(chunk);
    }
    process.io.end();
    assert.ok(written <= WINDOW + 128 * 1024);
    process.signal('INT');
    await until(() => remote.told.length > 0);
    assert.equal(remote.stdin.length, WINDOW);
    assert.equal(remote.io.ended, false);
    remote.io.takes = true;
    remote.io.handlers?.onWritable();
    await owner.called('writable');
    await until(() => remote.io.ended);
    assert.equal(remote.stdin.length, written);
  });

  it('ends at what is no frame', async () => {
    const socket = connect(await broker.open(async () => remote));
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await once(socket, 'close');
    await until(() => remote.closed);
  });
});
