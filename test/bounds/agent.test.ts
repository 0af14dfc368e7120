import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { agentLimits } from '../../src/agent/limits.ts';
import { startStandInEpmd } from '../../src/demo/stand-in-epmd.ts';
import { MAGIC } from '../../src/protocol/constants.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { DaemonEnd } from '../support/daemon-end.ts';
import { DelayedPath } from '../support/delayed-path.ts';
import { freePort } from '../support/erlang.ts';
import { TestAgent } from '../support/test-agent.ts';

const SECRET = 'the secret that both ends know';

describe('a bound of the agent that was set', () => {
  let agent: TestAgent;
  let ends: DaemonEnd[] = [];
  let strangers: Socket[] = [];

  async function startWith(epmdPort: number, ...limits: readonly string[]): Promise<void> {
    const given = limits.flatMap((limit) => ['--limit', limit]);
    agent = await TestAgent.start(SECRET, ['--epmd-port', String(epmdPort), ...given]);
  }

  async function start(...limits: readonly string[]): Promise<void> {
    await startWith(await freePort(), ...limits);
  }

  async function attach(): Promise<DaemonEnd> {
    const end = new DaemonEnd(SECRET);
    ends.push(end);
    await end.dial(agent.port);
    await end.until('attached', () => end.attachments[0]);
    return end;
  }

  /** Connected, and heard the agent's hello or was closed. */
  async function stranger(): Promise<{ socket: Socket; greeted: boolean; closed: Promise<void> }> {
    const socket = connect({ port: agent.port, host: '127.0.0.1', allowHalfOpen: true });
    strangers.push(socket);
    socket.on('error', () => {});
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const greeted = once(socket, 'data').then(
      () => true,
      () => false,
    );
    return { socket, greeted: await Promise.race([greeted, closed.then(() => false)]), closed };
  }

  afterEach(async () => {
    for (const end of ends) end.socket?.destroy();
    for (const socket of strangers) socket.destroy();
    ends = [];
    strangers = [];
    await agent.stop();
  });

  it('closes a connection more than `connections` as it comes where all have proved themselves, and takes one again when one is gone', async () => {
    await start('connections=2');
    const first = await attach();
    const second = await attach();
    assert.equal((await stranger()).greeted, false);
    second.socket?.destroy();
    while (!(await stranger()).greeted) strangers.pop();
    assert.deepEqual(first.losses, []);
  });

  it('lets one more than `connections` take the place of one that has not proved itself', async () => {
    await start('connections=3');
    const first = await attach();
    const two = [await stranger(), await stranger()];
    const third = await attach();
    await Promise.race(two.map(({ closed }) => closed));
    assert.deepEqual([first.losses, third.losses], [[], []]);
  });

  it('closes one of more than `waiting-pipes` that have not proved themselves', async () => {
    await start('waiting-pipes=2');
    const two = [await stranger(), await stranger()];
    const third = await stranger();
    await Promise.race(two.map(({ closed }) => closed));
    const left = [...two, third].filter(({ socket }) => !socket.closed);
    assert.equal(left.length, 2);
  });

  it('counts who was refused among them until it is closed', async () => {
    await start('connections=8');
    for (let count = 0; count < 20; count += 1) {
      const { socket } = await stranger();
      // A hello of a later major version: refused, with a second for that word to arrive.
      socket.write(Buffer.from([...MAGIC, 0, 200, 200, 0, ...Buffer.alloc(34)]));
    }
    const end = await attach();
    assert.deepEqual(end.losses, []);
  });

  it('lets a daemon in whose round trip is longer than a hundred strangers take to come', async () => {
    await start();
    const path = await DelayedPath.start({ host: '127.0.0.1', port: agent.port }, 200);
    const end = new DaemonEnd(SECRET);
    ends.push(end);
    try {
      const dialled = end.dial(path.port);
      for (let count = 0; count < 100; count += 1) await stranger();
      await dialled;
      await end.until('attached', () => end.attachments[0]);
    } finally {
      path.stop();
    }
  });

  it('closes who has not said its hello within `hello-ms`, and leaves who has alone', async () => {
    await start('hello-ms=200');
    const end = await attach();
    const slow = await stranger();
    await slow.closed;
    assert.deepEqual(end.losses, []);
  });

  it('says BUSY to a session more than `sessions`, all of which are attached', async () => {
    await start('sessions=2');
    await attach();
    await attach();
    const third = new DaemonEnd(SECRET);
    ends.push(third);
    const busy = third.dial(agent.port).then(() => third.until('the loss', () => third.losses[0]));
    await assert.rejects(
      busy.then((loss) => {
        throw loss;
      }),
      (error) => EpmuxError.is(error, 'BUSY'),
    );
  });

  it('rejects a stream more than `streams`, and opens one again when one has ended', async () => {
    await start('streams=2');
    const end = await attach();
    // Nothing listens there, so a stream that is let in ends as CONNECT_FAILED, and one that is not
    // as BUSY.
    const outcome = (stream: { readonly accepted: Promise<void> }): Promise<string> =>
      stream.accepted.then(
        () => 'ACCEPTED',
        (error: EpmuxError) => error.code,
      );
    const three = ['a', 'b', 'c'].map((name) => end.driver.open(`node/${name}`, 'interactive'));
    const codes = await Promise.all(three.map(outcome));
    assert.deepEqual(codes, ['NO_EPMD', 'NO_EPMD', 'BUSY']);
    assert.equal(await outcome(end.driver.open('node/d', 'interactive')), 'NO_EPMD');
  });

  it('cuts off a node that says nothing for `node-silence-ms`, and not before', async () => {
    const mute = createServer((socket) => socket.on('error', () => {}).resume());
    mute.listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const epmd = await startStandInEpmd('app', (mute.address() as AddressInfo).port);
    try {
      await startWith(epmd.port, 'node-silence-ms=1500');
      const stream = (await attach()).open('node/app');
      await stream.stream.accepted;
      const acceptedAt = performance.now();
      const error = await stream.closed;
      assert.equal(error?.code, 'NODE_UNREACHABLE');
      assert.equal(error.message, 'the node sent nothing, not even a tick, for 2 s');
      assert.ok(performance.now() - acceptedAt >= 1_400);
    } finally {
      await epmd.close();
      mute.close();
    }
  });

  it('is refused outside of its range', () => {
    for (const limit of ['node-silence-ms=999', 'node-silence-ms=86400001']) {
      assert.throws(() => agentLimits([limit], {}), {
        code: 'USAGE',
        message: '--limit: node-silence-ms is a whole number from 1000 to 86400000',
      });
    }
    assert.equal(agentLimits(['node-silence-ms=86400000'], {}).nodeSilenceMs, 86_400_000);
  });
});
