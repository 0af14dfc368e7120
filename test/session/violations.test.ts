import assert from 'node:assert/strict';
import type { RoleName } from '../../src/protocol/constants.ts';
import { INITIAL_CREDIT_BYTES, WireCode } from '../../src/protocol/constants.ts';
import { encodeFrame } from '../../src/protocol/encode.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import type { Frame } from '../../src/protocol/frames.ts';
import { LoneSession } from '../support/lone-session.ts';
import { PEER } from '../support/session-pair.ts';

const DATA: Frame = { type: 'DATA', stream: 1, payload: Uint8Array.of(1) };
const OPEN: Frame = { type: 'OPEN', stream: 1, streamClass: 'interactive', target: 'node/a' };
const RESET: Frame = { type: 'RESET', stream: 1, code: 14, text: '' };
const FIN: Frame = { type: 'FIN', stream: 1 };

interface Breach {
  readonly what: string;
  readonly role?: RoleName;
  /** What this end does first. */
  readonly before?: (lone: LoneSession) => void;
  readonly frames: readonly Frame[];
}

/** The last frame is the one that must not come. */
const BREACHES: Breach[] = [
  { what: 'a second ATTACHED', frames: [{ type: 'ATTACHED', kind: 'new', received: 0 }] },
  { what: 'PROOF behind the handshake', frames: [{ type: 'PROOF', proof: new Uint8Array(32) }] },
  {
    what: 'ATTACH behind the handshake',
    role: 'agent',
    frames: [{ type: 'ATTACH', kind: 'new', sessionId: '00'.repeat(16), received: 0 }],
  },
  { what: 'ACK of what was not sent', frames: [{ type: 'ACK', received: 1 }] },
  {
    what: 'TAIL where no frame was divided',
    frames: [{ type: 'TAIL', payload: Uint8Array.of(1) }],
  },
  { what: 'DATA on a stream never opened', role: 'agent', frames: [DATA] },
  { what: 'CREDIT on a stream never opened', frames: [{ type: 'CREDIT', stream: 1, limit: 1e6 }] },
  { what: 'FIN on a stream never opened', frames: [FIN] },
  { what: 'RESET on a stream never opened', frames: [RESET] },
  { what: 'an OPEN with an id of the wrong parity', frames: [OPEN] },
  { what: 'an OPEN with an id that was used', role: 'agent', frames: [OPEN, OPEN] },
  {
    what: 'an OPEN with an id below the last',
    role: 'agent',
    frames: [
      { ...OPEN, stream: 5 },
      { ...OPEN, stream: 3 },
    ],
  },
  { what: 'ACCEPT by the opener', role: 'agent', frames: [OPEN, { type: 'ACCEPT', stream: 1 }] },
  {
    what: 'REJECT by the opener',
    role: 'agent',
    frames: [OPEN, { type: 'REJECT', stream: 1, code: 7, text: '' }],
  },
  {
    what: 'ACCEPT twice',
    before: openOne,
    frames: [
      { type: 'ACCEPT', stream: 1 },
      { type: 'ACCEPT', stream: 1 },
    ],
  },
  {
    what: 'REJECT behind ACCEPT',
    before: openOne,
    frames: [
      { type: 'ACCEPT', stream: 1 },
      { type: 'REJECT', stream: 1, code: 7, text: '' },
    ],
  },
  { what: 'DATA before ACCEPT', before: openOne, frames: [DATA] },
  { what: 'FIN before ACCEPT', before: openOne, frames: [FIN] },
  {
    what: 'DATA behind FIN',
    before: openOne,
    frames: [{ type: 'ACCEPT', stream: 1 }, FIN, DATA],
  },
  { what: 'FIN behind FIN', before: openOne, frames: [{ type: 'ACCEPT', stream: 1 }, FIN, FIN] },
  {
    what: 'DATA beyond the credit',
    role: 'agent',
    frames: [
      OPEN,
      { type: 'DATA', stream: 1, payload: new Uint8Array(INITIAL_CREDIT_BYTES) },
      DATA,
    ],
  },
];

function openOne(lone: LoneSession): void {
  lone.session.open('node/a', 'interactive', lone.now);
  lone.sent();
}

function expectEnd(lone: LoneSession, code: number, errorCode: string): void {
  const [goodbye, ...more] = lone.sent();
  assert.equal(goodbye?.type, 'GOODBYE');
  assert.equal(goodbye.type === 'GOODBYE' && goodbye.code, code);
  assert.deepEqual(more, []);
  const last = lone.events().at(-1);
  assert.equal(last?.type, 'ended');
  if (last?.type !== 'ended') return;
  assert.equal(last.reason.code, code);
  assert.ok(last.error instanceof EpmuxError);
  assert.equal(last.error.code, errorCode);
  assert.equal(lone.session.stats(lone.now).state, 'ended');
}

describe('a session whose other end breaks the protocol', () => {
  for (const { what, role = 'daemon', before, frames } of BREACHES) {
    it(`says GOODBYE and ends on ${what}`, () => {
      const lone = LoneSession.attached(role);
      before?.(lone);
      lone.receive(...frames.slice(0, -1));
      lone.sent();
      assert.equal(lone.session.stats(lone.now).state, 'attached', 'a breach too early');
      lone.receive(...frames.slice(-1));
      expectEnd(lone, WireCode.PROTOCOL, 'PROTOCOL');
    });
  }

  it('ends on a required frame that it does not know', () => {
    const lone = LoneSession.attached('daemon');
    lone.receiveBytes(Uint8Array.of(0x31, 0, 0, 0, 0, 0, 0, 0));
    expectEnd(lone, WireCode.UNSUPPORTED, 'UNSUPPORTED');
  });

  it('skips an optional frame that it does not know, and counts it when it is reliable', () => {
    const lone = LoneSession.attached('daemon');
    lone.receiveBytes(Uint8Array.of(0xb1, 0, 0, 1, 0, 0, 0, 0, 9));
    lone.receiveBytes(Uint8Array.of(0xf1, 0, 0, 2, 0, 0, 0, 0, 9, 9));
    assert.deepEqual(
      lone.pass(25).filter(({ type }) => type === 'ACK'),
      [{ type: 'ACK', received: 10 }],
    );
  });

  it('ends when anything reliable comes before ATTACHED', () => {
    const lone = new LoneSession('daemon');
    lone.session.beginAttach(lone.now);
    lone.receive({ ...OPEN, stream: 2 });
    expectEnd(lone, WireCode.PROTOCOL, 'PROTOCOL');
  });

  it('ends when DATA of a live stream comes before ATTACHED', () => {
    const lone = LoneSession.attached('daemon');
    openOne(lone);
    lone.receive({ type: 'ACCEPT', stream: 1 });
    lone.events();
    lone.session.pipeClosed(lone.now);
    lone.session.beginAttach(lone.now);
    lone.receive(DATA);
    expectEnd(lone, WireCode.PROTOCOL, 'PROTOCOL');
  });

  it('ends when a resume is answered with ATTACHED new', () => {
    const lone = LoneSession.attached('daemon');
    lone.session.pipeClosed(lone.now);
    lone.attach(0, 'new');
    expectEnd(lone, WireCode.PROTOCOL, 'PROTOCOL');
  });

  it('stays ended when a second ATTACHED comes along with the one that ended it', () => {
    const lone = new LoneSession('daemon');
    lone.session.beginAttach(lone.now);
    lone.session.peerKnown(PEER);
    const attached = (received: number) => encodeFrame({ type: 'ATTACHED', kind: 'new', received });
    lone.receiveBytes(Buffer.concat([attached(5), attached(0)]));
    assert.deepEqual(
      lone.events().map(({ type }) => type),
      ['ended'],
    );
    assert.equal(lone.session.stats(lone.now).state, 'ended');
    assert.throws(() => lone.session.open('node/a', 'bulk', lone.now), { code: 'SESSION_LOST' });
  });

  it('looks at nothing behind the breach, nor at anything later', () => {
    const lone = LoneSession.attached('agent');
    lone.receive(DATA, OPEN);
    lone.receive(OPEN);
    assert.deepEqual(
      lone.events().map((event) => event.type),
      ['ended'],
    );
  });

  it('rejects streams beyond its limit with BUSY, and drops what came for them', () => {
    const lone = LoneSession.attached('agent', { maxStreams: 1 });
    lone.receive(OPEN, { ...OPEN, stream: 3 }, { ...DATA, stream: 3 });
    const rejects = lone.sent().filter((frame) => frame.type === 'REJECT');
    assert.deepEqual(
      rejects.map((frame) => [frame.stream, frame.code]),
      [[3, WireCode.BUSY]],
    );
    assert.deepEqual(
      lone.events().map((event) => event.type),
      ['opened'],
    );
  });

  it('ends when streams are opened without end and nothing is read', () => {
    const lone = LoneSession.attached('agent', { maxStreams: 2 });
    for (let stream = 1; stream < 40; stream += 2) lone.receive({ ...OPEN, stream });
    expectEnd(lone, WireCode.BUSY, 'BUSY');
  });

  it('skips an unknown optional frame before ATTACHED, and ends when that is reliable', () => {
    const lone = new LoneSession('daemon');
    lone.session.beginAttach(lone.now);
    lone.receiveBytes(Uint8Array.of(0xb1, 0, 0, 1, 0, 0, 0, 0, 9));
    assert.equal(lone.session.stats(lone.now).state, 'attaching');
    lone.receiveBytes(Uint8Array.of(0xf1, 0, 0, 1, 0, 0, 0, 0, 9));
    expectEnd(lone, WireCode.PROTOCOL, 'PROTOCOL');
  });

  it('loses the pipe alone when the daemon’s REFUSE crosses ATTACHED', () => {
    const lone = LoneSession.attached('agent');
    lone.receive({ type: 'REFUSE', code: WireCode.UNSUPPORTED, text: '' });
    assert.deepEqual(
      lone.events().map((event) => event.type),
      ['pipe-failed'],
    );
    assert.equal(lone.session.stats(lone.now).state, 'detached');
  });

  it('takes no position or limit back', () => {
    const lone = LoneSession.attached('daemon');
    openOne(lone);
    const { unackedBytes: opened } = lone.session.stats(lone.now);
    lone.receive({ type: 'ACCEPT', stream: 1 }, { type: 'ACK', received: opened });
    lone.receive({ type: 'CREDIT', stream: 1, limit: INITIAL_CREDIT_BYTES - 1 });
    lone.receive({ type: 'ACK', received: opened - 1 });
    lone.session.write(1, new Uint8Array(INITIAL_CREDIT_BYTES));
    const sent = lone
      .sent()
      .reduce((sum, one) => sum + ('payload' in one ? one.payload.length : 0), 0);
    assert.equal(sent, INITIAL_CREDIT_BYTES);
  });

  it('drops frames on an id that was passed over, or of a stream that both have finished', () => {
    const lone = LoneSession.attached('agent');
    lone.receive({ ...OPEN, stream: 3 }, DATA, FIN, RESET);
    lone.session.accept(3);
    lone.session.finish(3);
    lone.sent();
    lone.receive({ ...FIN, stream: 3 }, { ...FIN, stream: 3 }, { ...DATA, stream: 3 });
    assert.deepEqual(
      lone.events().map((event) => event.type),
      ['opened', 'finished', 'closed'],
    );
    assert.equal(lone.session.stats(lone.now).state, 'attached');
  });

  it('drops frames for a stream that it has closed itself', () => {
    const lone = LoneSession.attached('daemon');
    openOne(lone);
    lone.session.reset(1, { code: 14, text: '' });
    lone.receive({ type: 'ACCEPT', stream: 1 }, DATA, FIN, RESET);
    lone.receive({ type: 'CREDIT', stream: 1, limit: 1e6 });
    assert.deepEqual(
      lone.events().map((event) => event.type),
      ['closed'],
    );
    assert.equal(lone.session.stats(lone.now).state, 'attached');
  });
});
