import { FrameDecoder } from '../../../src/protocol/decode.ts';
import { encodeFrame } from '../../../src/protocol/encode.ts';
import type { Frame } from '../../../src/protocol/frames.ts';
import { SESSION_DEFAULTS, type SessionConfig } from '../../../src/session/config.ts';
import { Session } from '../../../src/session/session.ts';
import type { SessionEvent } from '../../../src/session/types.ts';
import { dataHeader } from '../../support/data-header.ts';
import { PEER } from '../../support/session-pair.ts';
import { hold, type Target, type Told } from '../target.ts';

const CONFIG: SessionConfig = {
  ...SESSION_DEFAULTS,
  replayBudgetBytes: 65_536,
  streamBufferBytes: 4_096,
  crowdedBufferBytes: 16_384,
  maxWindowBytes: 131_072,
  maxWindowsTotalBytes: 262_144,
  maxStreams: 8,
};
const TARGET = 'node/my_app';

function bytesOf(...frames: readonly Frame[]): Uint8Array {
  return Buffer.concat(frames.map(encodeFrame));
}

/**
 * What an other end may send to a session of this role, its own streams having ids of `own`, those
 * opened here of `ours`.
 */
function seeds(own: number, ours: number): Uint8Array[] {
  const payload = Buffer.from('hello');
  const talk: readonly Frame[] = [
    { type: 'PING', token: 1n },
    { type: 'OPEN', stream: own, streamClass: 'interactive', target: TARGET },
    { type: 'DATA', stream: own, payload },
    { type: 'ACCEPT', stream: ours },
    { type: 'DATA', stream: ours, payload },
    { type: 'CREDIT', stream: ours, limit: 100_000 },
    { type: 'ACK', received: 8 },
    { type: 'FIN', stream: ours },
    { type: 'RESET', stream: own, code: 14, text: 'gone' },
  ];
  const reject: Frame = { type: 'REJECT', stream: ours, code: 11, text: 'no such node' };
  const directory = { epoch: 1, epmdDown: false, truncated: false, nodes: [] };
  return [
    bytesOf(...talk),
    bytesOf(reject, { type: 'PONG', token: 1n }),
    bytesOf({ type: 'DIRECTORY', directory }, { type: 'GOODBYE', code: 9, text: 'stopping' }),
    bytesOf({ type: 'REFUSE', code: 7, text: 'busy' }),
    bytesOf({ type: 'ACK', received: 2 ** 40 }),
    Buffer.concat([bytesOf(...talk.slice(0, 2)), dataHeader(own, 65_536), new Uint8Array(70)]),
  ];
}

/**
 * An attached session with one stream open, at the mercy of an other end that has proved itself.
 */
function attached(role: 'daemon' | 'agent'): Session {
  const session = new Session(role, CONFIG, new Uint8Array(16), 0);
  if (role === 'agent') session.acceptAttach(0, PEER, 0);
  else {
    session.beginAttach(0);
    session.peerKnown(PEER);
    session.receive(encodeFrame({ type: 'ATTACHED', kind: 'new', received: 0 }), 0);
  }
  session.open(TARGET, 'interactive', 0);
  session.drain(0, Number.POSITIVE_INFINITY);
  return session;
}

function target(role: 'daemon' | 'agent'): Target {
  return {
    name: `session-of-${role}`,
    errors: [],
    framing: 'frames',
    seeds: role === 'daemon' ? seeds(2, 1) : seeds(1, 2),
    open: (told) => {
      const session = attached(role);
      takeEvents(session, told);
      return {
        push: (chunk) => {
          if (chunk.length === 0) return;
          session.receive(chunk, 0);
          takeEvents(session, told);
        },
        end: () => {
          check(session);
          const { state, streams, bytesIn } = session.stats(0);
          told.fact({ state, streams, bytesIn });
        },
      };
    },
  };
}

/**
 * An owner that takes every stream and reads what comes, but not the answers: nothing is drained
 * until the end.
 */
function takeEvents(session: Session, told: Told): void {
  for (let event = session.nextEvent(); event !== undefined; event = session.nextEvent()) {
    tell(event, told);
  }
}

function tell(event: SessionEvent, told: Told): void {
  switch (event.type) {
    case 'data':
      hold(event.chunk.length > 0, 'an empty piece of data');
      told.bytes(`stream ${event.stream}`, event.chunk);
      break;
    case 'ended':
      told.fact({ ended: event.reason.code, error: event.error?.code });
      break;
    case 'pipe-failed':
      told.fact({ failed: event.error.code });
      break;
    case 'attached':
    case 'rtt':
      break;
    default:
      told.fact(event);
  }
}

/** What it says in the end is of the protocol and bounded, whatever it was told. */
function check(session: Session): void {
  const stats = session.stats(0);
  hold(stats.streams <= CONFIG.maxStreams, 'more streams than the limit');
  hold(stats.unackedBytes <= CONFIG.replayBudgetBytes + 65_544, 'more kept than the budget');
  const said = session.drain(0, 1 << 20);
  hold(Buffer.concat([...said]).length <= 131_072, 'too much to say');
  const decoder = new FrameDecoder();
  const ignore = { frame() {}, data() {}, reliable() {} };
  for (const bytes of said) decoder.push(bytes, ignore);
  let meetings = 0;
  for (let at = session.nextDeadline(); at < 3_600_000; at = session.nextDeadline()) {
    session.onDeadline(Math.max(0, at));
    session.drain(Math.max(0, at), 65_536);
    meetings += 1;
    hold(meetings < 10_000, 'its deadlines do not pass');
  }
}

export const SESSION_TARGETS: readonly Target[] = [target('daemon'), target('agent')];
