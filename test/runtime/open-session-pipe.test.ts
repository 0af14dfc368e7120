import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { encodeFrame } from '../../src/protocol/encode.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import type { OpenSessionPipeOptions } from '../../src/runtime/open-session-pipe.ts';
import { openAgentPipe, openDaemonPipe } from '../../src/runtime/open-session-pipe.ts';
import { duplexPipe } from '../../src/runtime/socket-pipe.ts';
import { HELLO_MS } from '../support/hello-ms.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryPipe } from '../support/memory-pipe.ts';
import { own } from '../support/recording-pipe.ts';
import { socketPair } from '../support/socket-pair.ts';

const ATTACH = encodeFrame({
  type: 'ATTACH',
  kind: 'new',
  sessionId: 'ab'.repeat(16),
  received: 0,
});
const options: OpenSessionPipeOptions = {
  secret: Buffer.from('a secret of at least 16 bytes'),
  software: 'epmux/test',
  clock: systemClock,
  helloTimeoutMs: HELLO_MS,
};
const daemonOptions = { ...options, attach: () => ATTACH };
const agentOptions = { ...options, bootId: new Uint8Array(16), hostName: 'dyno' };

describe('opening a session’s pipe', () => {
  it('lets both ends meet over a socket and hands it over without losing a byte', async () => {
    const [a, b] = await socketPair();
    const [daemon, agent] = await Promise.all([
      openDaemonPipe(duplexPipe(a, 'to the agent'), daemonOptions),
      openAgentPipe(duplexPipe(b, 'to the daemon'), agentOptions),
    ]);
    assert.equal(daemon.peer.hostName, 'dyno');
    assert.equal(agent.attach.sessionId, 'ab'.repeat(16));
    daemon.pipe.write(Buffer.from('first'));
    agent.pipe.write(Buffer.from('answer'));
    agent.pipe.end();
    const atDaemon = own(daemon.pipe);
    await atDaemon.called('end');
    assert.equal(Buffer.concat([daemon.rest, atDaemon.bytes]).toString(), 'answer');
    const atAgent = own(agent.pipe);
    await atAgent.until(() => agent.rest.length + atAgent.bytes.length === 5);
    assert.equal(Buffer.concat([agent.rest, atAgent.bytes]).toString(), 'first');
    daemon.pipe.end();
    await Promise.all([atDaemon.called('closed'), atAgent.called('closed')]);
    assert.deepEqual([atDaemon.error, atAgent.error], [undefined, undefined]);
  });

  it('keeps what comes between the handshake and the new owner, and the end behind it', async () => {
    const [daemonPipe, agentPipe] = [new MemoryPipe(), new MemoryPipe()];
    const daemon = openDaemonPipe(daemonPipe, daemonOptions);
    const agent = openAgentPipe(agentPipe, agentOptions);
    daemonPipe.handlers?.onBytes(Buffer.concat(agentPipe.written.splice(0)));
    agentPipe.handlers?.onBytes(Buffer.concat(daemonPipe.written.splice(0)));
    const opened = await agent;
    assert.equal(agentPipe.paused, true);
    agentPipe.handlers?.onBytes(Buffer.from('one '));
    agentPipe.handlers?.onBytes(Buffer.from('two'));
    agentPipe.handlers?.onEnd();
    agentPipe.handlers?.onClosed(undefined);
    const owner = own(opened.pipe);
    assert.deepEqual(owner.calls, []);
    await owner.called('closed');
    assert.deepEqual(owner.calls, ['bytes', 'bytes', 'end', 'closed']);
    assert.equal(owner.text, 'one two');
    daemonPipe.handlers?.onClosed(undefined);
    await assert.rejects(daemon, { code: 'PIPE_LOST' });
  });

  it('tells both ends when the secrets differ', async () => {
    const [a, b] = await socketPair();
    const secret = Buffer.from('quite another secret');
    const outcomes = await Promise.allSettled([
      openDaemonPipe(duplexPipe(a, 'to the agent'), { ...daemonOptions, secret }),
      openAgentPipe(duplexPipe(b, 'to the daemon'), agentOptions),
    ]);
    for (const outcome of outcomes) {
      assert.ok(outcome.status === 'rejected');
      assert.equal((outcome.reason as EpmuxError).code, 'SECRET_REFUSED');
    }
    for (const socket of [a, b]) {
      if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
    }
  });

  it('shows what answers instead of an agent, and closes', async () => {
    const [a, b] = await socketPair();
    b.write('SSH-2.0-OpenSSH_9.2p1\r\n');
    const opening = openDaemonPipe(duplexPipe(a, 'somewhere'), daemonOptions);
    await assert.rejects(opening, { code: 'NOT_AN_AGENT', message: /SSH-2\.0-OpenSSH_9\.2p1/ });
    b.on('error', () => {});
    b.resume();
    await new Promise((resolve) => b.once('close', resolve));
  });

  it('tells a port where nobody listens from a pipe that broke', async () => {
    for (const [end, opener, code] of [
      ['onEnd', openDaemonPipe, 'AGENT_MISSING'],
      ['onEnd', openAgentPipe, 'PIPE_LOST'],
      ['onClosed', openDaemonPipe, 'TIMEOUT'],
    ] as const) {
      const pipe = new MemoryPipe();
      const opening = opener(pipe, { ...agentOptions, attach: () => ATTACH });
      if (end === 'onEnd') pipe.handlers?.onEnd();
      else pipe.handlers?.onClosed(new EpmuxError('TIMEOUT', 'the carrier is gone'));
      await assert.rejects(opening, { code });
      assert.ok(pipe.closed !== undefined);
    }
  });

  it('waits no longer than its limit, also for an end that only said hello', async () => {
    const clock = new ManualClock();
    const [daemonPipe, agentPipe] = [new MemoryPipe(), new MemoryPipe()];
    const { signal } = new AbortController();
    const opening = openDaemonPipe(daemonPipe, { ...daemonOptions, clock, signal });
    void openAgentPipe(agentPipe, { ...agentOptions, clock }).catch(() => {});
    clock.advance(9_999);
    daemonPipe.handlers?.onBytes(Buffer.concat(agentPipe.written));
    clock.advance(1);
    await assert.rejects(opening, { code: 'TIMEOUT' });
    assert.equal(daemonPipe.closed?.error?.code, 'TIMEOUT');
    assert.equal(clock.waiting, 0);
    assert.deepEqual(getEventListeners(signal, 'abort'), []);
  });

  it('can be given up, before and while it runs', async () => {
    const clock = new ManualClock();
    const pipe = new MemoryPipe();
    const given = new AbortController();
    const opening = openDaemonPipe(pipe, { ...daemonOptions, clock, signal: given.signal });
    given.abort();
    await assert.rejects(opening, { code: 'INTERRUPTED' });
    assert.ok(pipe.closed !== undefined);
    assert.equal(clock.waiting, 0);

    assert.deepEqual(getEventListeners(given.signal, 'abort'), []);

    const late = new MemoryPipe();
    const signal = AbortSignal.abort(new EpmuxError('TUNNEL_DOWN', 'taken down'));
    await assert.rejects(openDaemonPipe(late, { ...daemonOptions, clock, signal }), {
      code: 'TUNNEL_DOWN',
    });
    assert.ok(late.closed !== undefined);
    assert.equal(late.written.length, 0);
  });

  it('gives a refusal a second to leave, then closes', async () => {
    const clock = new ManualClock();
    const [daemonPipe, agentPipe] = [new MemoryPipe(), new MemoryPipe()];
    const secret = Buffer.from('quite another secret');
    void openDaemonPipe(daemonPipe, { ...daemonOptions, secret, clock }).catch(() => {});
    const opening = openAgentPipe(agentPipe, { ...agentOptions, clock });
    daemonPipe.handlers?.onBytes(Buffer.concat(agentPipe.written.splice(0)));
    agentPipe.handlers?.onBytes(Buffer.concat(daemonPipe.written));
    await assert.rejects(opening, { code: 'SECRET_REFUSED' });
    assert.equal(agentPipe.written[0]?.[0], 0x02);
    assert.deepEqual([agentPipe.ended, agentPipe.closed], [true, undefined]);
    clock.advance(1_000);
    assert.deepEqual(agentPipe.closed, { error: undefined });
  });
});
