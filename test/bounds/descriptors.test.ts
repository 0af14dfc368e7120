import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { Descriptors, isExhaustion } from '../../src/runtime/descriptors.ts';
import { AgentProcess } from '../support/agent-process.ts';
import { DaemonEnd, type TestStream } from '../support/daemon-end.ts';
import { freePort } from '../support/erlang.ts';
import { leaveOut } from '../support/left-out.ts';

const SECRET = 'the secret that both ends know';
const MOST = 64;

describe('the descriptors of a process', () => {
  let now = 0;
  let counted = 0;
  let open = 0;
  const descriptors = (): Descriptors =>
    new Descriptors(
      () => now,
      () => {
        counted += 1;
        return { most: 100, open };
      },
    );

  beforeEach(() => {
    now = 0;
    counted = 0;
    open = 20;
  });

  it('are given out until the reserve is reached, and refused with the reason then', async () => {
    const some = descriptors();
    let given = 0;
    while (some.refusal() === undefined) {
      given += 1;
      open += 1;
    }
    assert.ok(given >= 60 && given <= 64, `${given} of the 80 that are free`);
    await assert.rejects(
      some.opening(async () => 0),
      (error) => {
        assert.ok(error instanceof EpmuxError);
        assert.equal(error.code, 'BUSY');
        assert.match(error.message, /no file descriptor is free here \(ulimit -n 100\)/);
        return true;
      },
    );
  });

  it('are not counted for each connection, nor over and over when none is free', () => {
    const some = descriptors();
    for (let at = 0; at < 30; at += 1) some.refusal();
    assert.equal(counted, 1);
    open = 100;
    while (some.refusal() === undefined) {}
    const { length } = Array.from({ length: 1_000 }, () => some.refusal());
    assert.ok(counted < 10, `${counted} looks for ${length} refusals`);
  });

  it('are given out again when some have become free', () => {
    const some = descriptors();
    open = 100;
    assert.notEqual(some.refusal(), undefined);
    open = 50;
    now += 100;
    assert.equal(some.refusal(), undefined);
  });

  it('count those that are being opened', async () => {
    const some = descriptors();
    open = 82;
    const never = new Promise<void>(() => {});
    void some.opening(() => never);
    void some.opening(() => never);
    await assert.rejects(
      some.opening(async () => 0),
      { code: 'BUSY' },
    );
  });

  it('are without a bound where the system does not tell', () => {
    const some = new Descriptors(
      () => 0,
      () => undefined,
    );
    for (let at = 0; at < 10_000; at += 1) assert.equal(some.refusal(), undefined);
  });

  it('know what an exhaustion looks like', () => {
    assert.equal(isExhaustion(Object.assign(new Error(), { code: 'EMFILE' })), true);
    assert.equal(isExhaustion(new Error('EMFILE')), false);
  });
});

const linux = existsSync('/proc/self/limits');
describe(`an agent with ${MOST} descriptors`, function () {
  this.timeout(60_000);
  let echo: Server;
  let agent: AgentProcess;
  let agentPort = 0;
  let ends: DaemonEnd[] = [];
  let strangers: Socket[] = [];
  const said = new Map<TestStream, number>();

  before(async function () {
    if (!linux) leaveOut(this, 'there is no /proc');
    echo = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      socket.on('error', () => socket.destroy());
      socket.pipe(socket);
    }).listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const { port } = echo.address() as AddressInfo;
    const epmd = String(await freePort());
    const args = ['--port', '0', '--epmd-port', epmd, '--allow', `echo=${port}`];
    agent = await AgentProcess.start([...args, '--log-level', 'debug'], {
      env: { EPMUX_SECRET: SECRET },
      wrap: (words) => ['sh', '-c', `ulimit -n ${MOST} && exec "$@"`, 'sh', ...words],
    });
    const [, found] = await agent.said('stderr', /listening address=127\.0\.0\.1:(\d+)/);
    agentPort = Number(found);
  });

  afterEach(async () => {
    // With a goodbye: the agent would keep the streams of a session that it may resume.
    for (const end of ends) await end.end();
    for (const stranger of strangers) stranger.destroy();
    ends = [];
    strangers = [];
  });

  after(async () => {
    await agent?.kill();
    echo?.close();
  });

  async function attach(): Promise<DaemonEnd> {
    const end = new DaemonEnd(SECRET);
    ends.push(end);
    await end.dial(agentPort);
    await end.until('attached', () => end.attachments[0]);
    return end;
  }

  async function echoes(stream: TestStream, word: string): Promise<void> {
    const length = said.get(stream) ?? 0;
    said.set(stream, length + word.length);
    stream.stream.write(Buffer.from(word));
    const all = await stream.bytes(length + word.length);
    assert.equal(String(all.subarray(-word.length)), word);
  }

  /** Opens streams until one is refused. */
  async function fill(end: DaemonEnd): Promise<{ open: TestStream[]; refusal: unknown }> {
    const open: TestStream[] = [];
    for (;;) {
      const stream = end.open('port/echo');
      try {
        await stream.stream.accepted;
        open.push(stream);
      } catch (refusal) {
        return { open, refusal };
      }
    }
  }

  it('refuses a stream more with the reason, keeps the others, and opens again when some have ended', async () => {
    const end = await attach();
    const { open, refusal } = await fill(end);
    assert.ok(open.length > 8, `${open.length} streams`);
    assert.ok(refusal instanceof EpmuxError);
    assert.equal(refusal.code, 'BUSY');
    assert.match(refusal.message, /no file descriptor is free here \(ulimit -n 64\)/);
    for (const [at, stream] of open.entries()) await echoes(stream, `still here ${at}`);
    const second = await attach();
    await assert.rejects(second.open('port/echo').stream.accepted, { code: 'BUSY' });

    for (const { stream } of open.slice(0, 4)) stream.close();
    for (let tries = 0; ; tries += 1) {
      const again = second.open('port/echo');
      const failed = await again.stream.accepted.then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failed === undefined) {
        await echoes(again, 'opened again');
        break;
      }
      assert.ok(tries < 2_000, String(failed));
    }
    for (const stream of open.slice(4)) await echoes(stream, 'and still');
  });

  it('outlives more connections than it has descriptors for, and takes new ones when they are gone', async () => {
    const end = await attach();
    const stream = end.open('port/echo');
    await echoes(stream, 'before');
    const gone: Promise<unknown>[] = [];
    for (let at = 0; at < 4 * MOST; at += 1) {
      const stranger = connect(agentPort, '127.0.0.1');
      stranger.on('error', () => {});
      strangers.push(stranger);
      gone.push(new Promise((resolve) => stranger.once('close', resolve)));
    }
    // Most of them are closed: for want of descriptors, or because only so many may wait.
    let closed = 0;
    await new Promise<void>((resolve) => {
      for (const one of gone) void one.then(() => ++closed === 3 * MOST && resolve());
    });
    await echoes(stream, 'meanwhile');
    for (const stranger of strangers) stranger.destroy();
    await Promise.all(gone);
    await echoes(await attach().then((fresh) => fresh.open('port/echo')), 'after');
    await echoes(stream, 'as ever');
    assert.deepEqual(end.losses, []);
  });
});
