import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Greeter, WARN_EVERY_MS } from '../../src/agent/greeter.ts';
import { agentLimits } from '../../src/agent/limits.ts';
import { BOOT_ID_BYTES, NONCE_BYTES } from '../../src/protocol/constants.ts';
import { encodeFrame } from '../../src/protocol/encode.ts';
import { DaemonHandshake } from '../../src/protocol/handshake.ts';
import type { OpenedAgentPipe } from '../../src/runtime/open-session-pipe.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryPipe } from '../support/memory-pipe.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const LIMITS = agentLimits([], {});
const SECRET = 'the secret that both ends know';

describe("the agent's greeter", () => {
  let clock: ManualClock;
  let log: RecordingLogger;
  let opened: OpenedAgentPipe[];
  let greeter: Greeter;

  beforeEach(() => {
    clock = new ManualClock();
    log = new RecordingLogger();
    opened = [];
    greeter = new Greeter({
      secret: Buffer.from(SECRET),
      about: { software: 'epmux/test', bootId: randomBytes(BOOT_ID_BYTES) },
      clock,
      log,
      onOpened: (pipe) => opened.push(pipe),
      limits: LIMITS,
    });
  });

  /** What a daemon would send, given the agent's hello on this pipe. */
  function daemonSays(pipe: MemoryPipe, secret: string): Uint8Array[] {
    const attach = { type: 'ATTACH', kind: 'new', sessionId: '0'.repeat(32), received: 0 } as const;
    const daemon = new DaemonHandshake({
      secret: Buffer.from(secret),
      nonce: randomBytes(NONCE_BYTES),
      software: 'epmux/test',
      attach: () => encodeFrame(attach),
    });
    return [daemon.start(), daemon.receive(Buffer.concat(pipe.written)).send];
  }

  function say(pipe: MemoryPipe, secret: string): void {
    for (const words of daemonSays(pipe, secret)) pipe.handlers?.onBytes(words);
  }

  it('lets in who proves to know the secret', async () => {
    const pipe = new MemoryPipe();
    const greeted = greeter.greet(pipe);
    say(pipe, SECRET);
    assert.equal(await greeted, undefined);
    assert.equal(opened.length, 1);
    clock.advance(LIMITS.helloMs);
    assert.equal(pipe.closed, undefined, 'its time was for the hello only');
    assert.equal(clock.waiting, 0);
  });

  it('closes a pipe that is slow with its hello, to the last byte', async () => {
    const pipe = new MemoryPipe();
    const greeted = greeter.greet(pipe);
    const [hello = new Uint8Array(0), proof = new Uint8Array(0)] = daemonSays(pipe, SECRET);
    clock.advance(LIMITS.helloMs - 1);
    pipe.handlers?.onBytes(hello);
    pipe.handlers?.onBytes(proof.subarray(0, -1));
    assert.equal(pipe.closed, undefined);
    clock.advance(1);
    assert.equal((await greeted)?.code, 'TIMEOUT');
    assert(pipe.closed);
    assert.equal(opened.length, 0);
  });

  it('warns of a wrong secret, but not of each in a flood of them', async () => {
    const refused = async (): Promise<void> => {
      const pipe = new MemoryPipe();
      const greeted = greeter.greet(pipe);
      say(pipe, 'another secret altogether');
      assert.equal((await greeted)?.code, 'SECRET_REFUSED');
    };
    for (let count = 0; count < 5; count += 1) await refused();
    assert.equal(log.lines.length, 1);
    clock.advance(WARN_EVERY_MS);
    await refused();
    assert.equal(log.lines.length, 2);
    assert.match(log.lines[1] ?? '', /warn.*"alsoRefused":4/);
    assert(!log.has('another secret') && !log.has(SECRET));
  });

  it('drops whoever waits when it closes', async () => {
    const pipe = new MemoryPipe();
    const greeted = greeter.greet(pipe);
    greeter.close();
    assert.equal((await greeted)?.code, 'INTERRUPTED');
    assert(pipe.closed);
  });
});
