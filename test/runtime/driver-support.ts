import assert from 'node:assert/strict';
import type { PeerInfo } from '../../src/protocol/hello.ts';
import { SessionDriver } from '../../src/runtime/session-driver.ts';
import type { IncomingStream } from '../../src/runtime/session-stream.ts';
import type { SessionEvent } from '../../src/session/types.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryPipe } from '../support/memory-pipe.ts';
import { ScriptedSession } from '../support/scripted-session.ts';

export const PEER: PeerInfo = { minor: 0, software: 'epmux/test', bootId: '', hostName: '' };
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => resolve()));
export const bytes = (text: string): Uint8Array => Buffer.from(text);

export function setUp() {
  const session = new ScriptedSession();
  const clock = new ManualClock();
  const told: string[] = [];
  const incoming: IncomingStream[] = [];
  const driver = new SessionDriver({
    session,
    clock,
    handlers: {
      onAttached: (resumed, peer) => told.push(`attached ${resumed} ${peer.software}`),
      onPipeLost: (error) => told.push(`pipe lost ${error.code}`),
      onEnded: (reason, error) => told.push(`ended ${reason.code} ${error?.code ?? 'in order'}`),
      onDirectory: (directory) => told.push(`directory ${directory.epoch}`),
      onIncoming: (stream) => incoming.push(stream),
      onRtt: (ms) => told.push(`rtt ${ms}`),
      onFault: (error) => told.push(`fault ${error.code} ${error.message}`),
    },
  });
  const attach = (rest = ''): MemoryPipe => {
    const pipe = new MemoryPipe();
    driver.beginAttach();
    assert.equal(driver.attach({ pipe, peer: PEER, rest: bytes(rest) }), true);
    return pipe;
  };
  /** An event of the session, as if bytes had brought it. */
  const happen = async (...events: SessionEvent[]): Promise<void> => {
    session.events.push(...events);
    driver.probe();
    session.calls.pop();
    await turn();
  };
  return { session, clock, told, incoming, driver, attach, happen };
}
