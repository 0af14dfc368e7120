import assert from 'node:assert/strict';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { EventPump } from '../../src/runtime/event-pump.ts';
import { openAgentPipe, openDaemonPipe } from '../../src/runtime/open-session-pipe.ts';
import type { PipeHandlers } from '../../src/runtime/pipe.ts';
import { duplexPipe } from '../../src/runtime/socket-pipe.ts';
import type { SessionEvent } from '../../src/session/types.ts';
import { HELLO_MS } from '../support/hello-ms.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { own } from '../support/recording-pipe.ts';
import { socketPair } from '../support/socket-pair.ts';
import { bytes, setUp, turn } from './driver-support.ts';

const bug = (): never => {
  throw new Error('a bug');
};
const owner = (own: Partial<PipeHandlers>): PipeHandlers => ({
  onBytes() {},
  onWritable() {},
  onEnd() {},
  onClosed() {},
  ...own,
});

describe('an owner that throws', () => {
  const events: Record<string, { handlers: Partial<PipeHandlers>; event: SessionEvent }> = {
    'at bytes': {
      handlers: { onBytes: bug },
      event: { type: 'data', stream: 1, chunk: bytes('x') },
    },
    'at room': { handlers: { onWritable: bug }, event: { type: 'writable', stream: 1 } },
    'at the end': { handlers: { onEnd: bug }, event: { type: 'finished', stream: 1 } },
  };
  for (const [when, { handlers, event }] of Object.entries(events)) {
    it(`${when} loses its stream, and the next one goes on`, async () => {
      const { driver, session, told, happen } = setUp();
      const stream = driver.open('node/a', 'interactive');
      const other = own(driver.open('node/b', 'interactive'));
      let error: EpmuxError | undefined;
      stream.start(owner({ ...handlers, onClosed: (given) => (error = given) }));
      await turn();
      await happen(event, { type: 'data', stream: 3, chunk: bytes('goes on') });
      await turn();
      assert.equal(other.text, 'goes on');
      assert.equal(error?.code, 'INTERNAL');
      assert.equal(session.calls.filter((call) => call.startsWith('reset 1 ')).length, 1);
      assert.deepEqual(told, ['fault INTERNAL the owner of stream 1 (node/a) failed: a bug']);
    });
  }

  it('at the close is told of it once', async () => {
    const { driver, told, happen } = setUp();
    let closed = 0;
    const onClosed = (): void => {
      closed += 1;
      bug();
    };
    driver.open('node/a', 'interactive').start(owner({ onClosed }));
    await turn();
    await happen({ type: 'closed', stream: 1, reason: { code: 0, text: '' } });
    await turn();
    assert.deepEqual([closed, told.length], [1, 1]);
  });

  it('when a stream comes in loses that stream', async () => {
    const { session, told, happen, incoming } = setUp();
    incoming.push = bug;
    await happen({ type: 'opened', stream: 2, target: 'node/a', streamClass: 'bulk' });
    assert.ok(session.calls.some((call) => call.startsWith('reject 2 ')));
    assert.deepEqual(told, ['fault INTERNAL a handler of opened failed: a bug']);
  });

  it('of the session does not keep the events behind from anybody', () => {
    const seen: string[] = [];
    const queue: SessionEvent[] = [
      { type: 'rtt', ms: 1 },
      { type: 'writable', stream: 1 },
    ];
    const note = (event: SessionEvent): void => void seen.push(event.type);
    const pump = new EventPump({
      next: () => queue.shift(),
      handlers: {
        ...{ attached: note, 'pipe-failed': note, ended: note, opened: note, accepted: note },
        ...{ data: note, finished: note, writable: note, closed: note, directory: note, rtt: bug },
      },
      onFault: (_cause, event) => void seen.push(`fault at ${event.type}`),
    });
    pump.run();
    assert.deepEqual(seen, ['fault at rtt', 'writable']);
  });
});

describe('an opening whose session throws', () => {
  it('fails with what was thrown, and closes the pipe', async () => {
    const [near, far] = (await socketPair()).map((socket) => duplexPipe(socket, 'test'));
    assert.ok(near !== undefined && far !== undefined);
    const ended = new EpmuxError('SESSION_LOST', 'the session has ended');
    const about = { software: 'epmux/test', hostName: 'x' };
    const options = { ...about, clock: new ManualClock(), helloTimeoutMs: HELLO_MS };
    const secret = bytes('a secret of sixteen bytes');
    const attach = (): never => {
      throw ended;
    };
    const agent = openAgentPipe(far, { ...options, secret });
    agent.catch(() => undefined);
    await assert.rejects(openDaemonPipe(near, { ...options, secret, attach }), ended);
    await assert.rejects(agent);
  });
});
