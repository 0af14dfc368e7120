import assert from 'node:assert/strict';
import { encodeFrame } from '../../src/protocol/encode.ts';
import { attachSession } from '../../src/runtime/attach-session.ts';
import { openAgentPipe } from '../../src/runtime/open-session-pipe.ts';
import { SessionDriver } from '../../src/runtime/session-driver.ts';
import { HELLO_MS } from '../support/hello-ms.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryPipe } from '../support/memory-pipe.ts';
import { ScriptedSession } from '../support/scripted-session.ts';

function setUp() {
  const session = new ScriptedSession();
  const clock = new ManualClock();
  const nothing = (): void => {};
  const driver = new SessionDriver({
    session,
    clock,
    handlers: {
      onAttached: nothing,
      onPipeLost: nothing,
      onEnded: nothing,
      onDirectory: nothing,
      onIncoming: nothing,
      onRtt: nothing,
    },
  });
  const secret = Buffer.alloc(16, 5);
  const options = { secret, software: 'epmux/test', clock, helloTimeoutMs: HELLO_MS };
  const [pipe, agentPipe] = [new MemoryPipe(), new MemoryPipe()];
  const attaching = attachSession(driver, pipe, options);
  void openAgentPipe(agentPipe, { ...options, bootId: new Uint8Array(16) }).catch(nothing);
  const hello = Buffer.concat(agentPipe.written);
  return { session, driver, pipe, agentPipe, attaching, hello };
}

describe('attaching a session', () => {
  it('leaves the session detached when the agent refuses after ATTACH', async () => {
    const { session, pipe, attaching, hello } = setUp();
    pipe.handlers?.onBytes(hello);
    assert.deepEqual(session.calls, ['beginAttach']);
    pipe.handlers?.onBytes(encodeFrame({ type: 'REFUSE', code: 7, text: 'too many' }));
    await assert.rejects(attaching, { code: 'BUSY', message: 'too many' });
    assert.deepEqual(session.calls, ['beginAttach', 'pipeClosed']);
  });

  it('does not touch the session when what answers is no agent', async () => {
    const { session, pipe, attaching } = setUp();
    pipe.handlers?.onBytes(Buffer.from('220 ready\r\n'));
    await assert.rejects(attaching, { code: 'NOT_AN_AGENT' });
    assert.deepEqual(session.calls, []);
  });

  it('fails when the session gave the attempt up before the agent proved itself', async () => {
    const { driver, pipe, agentPipe, attaching, hello } = setUp();
    agentPipe.written.length = 0;
    pipe.handlers?.onBytes(hello);
    // ScriptedSession's ATTACH is no frame: the agent proves itself and waits for one.
    agentPipe.handlers?.onBytes(Buffer.concat(pipe.written));
    driver.detach();
    pipe.handlers?.onBytes(Buffer.concat(agentPipe.written));
    await assert.rejects(attaching, { code: 'TIMEOUT' });
    assert.ok(pipe.closed !== undefined);
  });
});
