import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { AgentProcess } from '../support/agent-process.ts';
import { DaemonEnd, type TestStream } from '../support/daemon-end.ts';
import { freePort } from '../support/erlang.ts';

const SECRET = 'the secret that both ends know';
const AT_ONCE = 1_000;
const IN_ALL = 10_000;
const ROUND = 2_000;
/** What is leaked is leaked in every round; what the allocator and the collector keep comes and goes. A KiB a stream would be this. */
const LEAK_KIB = 2_000;

function figuresOf(pid: number): { readonly descriptors: number; readonly kib: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
  return { descriptors: readdirSync(`/proc/${pid}/fd`).length, kib };
}

const linux = existsSync('/proc/self/status');

describe(`streams through a real agent${linux ? '' : ' (left out: there is no /proc)'}`, function () {
  this.timeout(120_000);
  let echo: Server;
  let agent: AgentProcess;
  let end: DaemonEnd;

  before(async function () {
    if (!linux) this.skip();
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
      { env: { EPMUX_SECRET: SECRET } },
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
    const before = figuresOf(agent.pid).descriptors;
    const streams = await openAndUse(AT_ONCE);
    assert.equal(end.driver.stats().streams, AT_ONCE);
    // A question to epmd may have been open at one look and not at the other.
    assert.ok(figuresOf(agent.pid).descriptors >= before + AT_ONCE - 2);
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
    const { descriptors } = figuresOf(agent.pid);
    const kib: number[] = [];
    for (let from = 0; from < IN_ALL; from += ROUND) {
      await use(from, from + ROUND);
      kib.push(figuresOf(agent.pid).kib);
    }
    await nothingLeft(descriptors);
    const growths = kib.slice(1).map((each, round) => each - (kib[round] ?? 0));
    assert.ok(Math.min(...growths) < LEAK_KIB, `KiB more after each round: ${growths}`);
    assert.deepEqual(end.losses, []);
  });

  /** The session's tables are empty at both ends, and the agent has no descriptor more than before. */
  async function nothingLeft(descriptors: number): Promise<void> {
    const stats = end.driver.stats();
    assert.equal(stats.streams, 0);
    for (let looks = 0; figuresOf(agent.pid).descriptors > descriptors; looks += 1) {
      assert.ok(
        looks < 500,
        `${figuresOf(agent.pid).descriptors} descriptors, ${descriptors} before`,
      );
      await useOnce(looks);
    }
    // A stream more than the agent may have of one session would be refused: it has forgotten the others.
    const streams = await openAndUse(1_024);
    for (const { stream } of streams) stream.end();
    await Promise.all(streams.map(({ closed }) => closed));
  }
});
