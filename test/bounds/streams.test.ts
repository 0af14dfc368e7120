import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { AgentProcess } from '../support/agent-process.ts';
import { DaemonEnd, type TestStream } from '../support/daemon-end.ts';
import { freePort } from '../support/erlang.ts';
import { leaveOut } from '../support/left-out.ts';

const SECRET = 'the secret that both ends know';
const AT_ONCE = 1_000;
const IN_ALL = 10_000;
/** Pools have their size after so many. */
const WARM = 2_000;
/** 100 bytes a stream. */
const LEAK_BYTES = (IN_ALL - WARM) * 100;

/**
 * What one may hold of the heap: a socket of Node's own takes 1,200 of it, and a closure or an
 * array for each stream adds up.
 */
const IDLE_BYTES = 2_600;

const TELL_MEMORY = join(import.meta.dirname, '..', 'support', 'tell-memory.mjs');

const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

const linux = existsSync('/proc/self/fd');

describe(`streams through a real agent`, function () {
  this.timeout(120_000);
  let echo: Server;
  let agent: AgentProcess;
  let end: DaemonEnd;
  let asked = 0;

  before(async function () {
    if (!linux) leaveOut(this, 'there is no /proc');
    echo = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      socket.on('error', () => socket.destroy());
      socket.pipe(socket);
    });
    echo.listen({ port: 0, host: '127.0.0.1', backlog: 2_048 });
    await once(echo, 'listening');
    const { port } = echo.address() as AddressInfo;
    const epmd = String(await freePort());
    agent = await AgentProcess.start(
      ['--port', '0', '--epmd-port', epmd, '--allow', `echo=${port}`],
      {
        env: { EPMUX_SECRET: SECRET },
        wrap: ([node = '', ...rest]) => [node, '--expose-gc', '--import', TELL_MEMORY, ...rest],
      },
    );
    const [, agentPort] = await agent.said('stderr', /listening address=127\.0\.0\.1:(\d+)/);
    end = new DaemonEnd(SECRET);
    await end.dial(Number(agentPort));
    await end.until('attached', () => end.attachments[0]);
  });

  after(async () => {
    end?.socket?.destroy();
    await agent?.kill();
    echo?.close();
  });

  async function useOnce(at: number): Promise<void> {
    const stream = end.open('port/echo');
    const word = Buffer.from(`word ${at}`);
    stream.stream.write(word);
    assert.deepEqual(await stream.bytes(word.length), word);
    stream.stream.end();
    assert.equal(await stream.closed, undefined);
  }

  async function openAndUse(count: number): Promise<TestStream[]> {
    const streams = Array.from({ length: count }, () => end.open('port/echo'));
    for (const [at, { stream }] of streams.entries()) stream.write(Buffer.from(`${at}`));
    for (const [at, stream] of streams.entries()) {
      const word = `${at}`;
      assert.equal(String(await stream.bytes(word.length)), word);
    }
    return streams;
  }

  it(`work when ${AT_ONCE} are open at once, and leave nothing when they are closed`, async () => {
    const before = descriptorsOf(agent.pid);
    const streams = await openAndUse(AT_ONCE);
    assert.equal(end.driver.stats().streams, AT_ONCE);
    // A question to epmd may have been open at one look and not at the other.
    assert.ok(descriptorsOf(agent.pid) >= before + AT_ONCE - 2);
    for (const { stream } of streams) stream.end();
    await Promise.all(streams.map(({ closed }) => closed));
    await nothingLeft(before);
  });

  it(`leak nothing when ${IN_ALL} are opened and closed`, async () => {
    const use = async (from: number, to: number): Promise<void> => {
      for (let at = from; at < to; at += 100) {
        await Promise.all(Array.from({ length: 100 }, (_, next) => useOnce(at + next)));
      }
    };
    const descriptors = descriptorsOf(agent.pid);
    await use(0, WARM);
    const warm = await reachable();
    await use(WARM, IN_ALL);
    const grown = (await reachable()) - warm;
    await nothingLeft(descriptors);
    assert.ok(grown < LEAK_BYTES, `${grown} bytes more are reachable`);
    assert.deepEqual(end.losses, []);
  });

  it(`hold less than ${IDLE_BYTES} bytes of the heap each while nothing moves`, async () => {
    const descriptors = descriptorsOf(agent.pid);
    const before = await reachable();
    const streams = await openAndUse(AT_ONCE);
    const each = ((await reachable()) - before) / AT_ONCE;
    for (const { stream } of streams) stream.end();
    await Promise.all(streams.map(({ closed }) => closed));
    await nothingLeft(descriptors);
    assert.ok(each < IDLE_BYTES, `${each} bytes each`);
  });

  async function reachable(): Promise<number> {
    asked += 1;
    agent.signal('SIGUSR2');
    const [, bytes] = await agent.said('stderr', new RegExp(`reachable ${asked}: (\\d+)`));
    return Number(bytes);
  }

  /**
   * The session's tables are empty at both ends, and the agent has no descriptor more than before.
   */
  async function nothingLeft(descriptors: number): Promise<void> {
    const stats = end.driver.stats();
    assert.equal(stats.streams, 0);
    for (let looks = 0; descriptorsOf(agent.pid) > descriptors; looks += 1) {
      assert.ok(looks < 500, `${descriptorsOf(agent.pid)} descriptors, ${descriptors} before`);
      await useOnce(looks);
    }
    // A stream more than the agent may have of one session would be refused: it has forgotten the
    // others.
    const streams = await openAndUse(1_024);
    for (const { stream } of streams) stream.end();
    await Promise.all(streams.map(({ closed }) => closed));
  }
});
