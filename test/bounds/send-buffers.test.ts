import assert from 'node:assert/strict';
import { SESSION_ID_BYTES } from '../../src/protocol/constants.ts';
import { SESSION_DEFAULTS } from '../../src/session/config.ts';
import { Session } from '../../src/session/session.ts';
import { LoneSession } from '../support/lone-session.ts';

const CHUNK = 16 * 1024;
const STREAM_BYTES = 64 * 1024;
const ALL_BYTES = 256 * 1024;

describe('the send buffers of a session', () => {
  let session: Session;
  const config = {
    ...SESSION_DEFAULTS,
    streamBufferBytes: STREAM_BYTES,
    maxBufferedBytes: ALL_BYTES,
  };

  beforeEach(() => {
    session = new Session('daemon', config, new Uint8Array(SESSION_ID_BYTES), 0);
  });

  /** Writes until `write` says false. */
  function fill(stream: number): number {
    for (let bytes = CHUNK; ; bytes += CHUNK) {
      if (!session.write(stream, new Uint8Array(CHUNK))) return bytes;
    }
  }

  it('hold for each stream its own bound and one write, as long as all of them are few', () => {
    const streams = [1, 2].map((name) => session.open(`port/${name}`, 'bulk', 0));
    for (const stream of streams) assert.equal(fill(stream), STREAM_BYTES + CHUNK);
    assert.equal(session.stats(0).heldBytes, 2 * (STREAM_BYTES + CHUNK));
  });

  it('hold one write for each stream once all together are over their bound', () => {
    const streams = Array.from({ length: 40 }, (_, at) => session.open(`port/${at}`, 'bulk', 0));
    const held = streams.map(fill);
    assert.equal(held[0], STREAM_BYTES + CHUNK);
    assert.equal(held.at(-1), CHUNK);
    assert.ok(session.stats(0).heldBytes <= ALL_BYTES + streams.length * CHUNK);
  });

  it('give their place back with the stream, and with the session', () => {
    const streams = Array.from({ length: 40 }, (_, at) => session.open(`port/${at}`, 'bulk', 0));
    for (const stream of streams) fill(stream);
    for (const stream of streams.slice(0, 30)) session.reset(stream, { code: 14, text: '' });
    const next = session.open('port/next', 'bulk', 0);
    assert.equal(fill(next), STREAM_BYTES + CHUNK);
    session.goodbye({ code: 0, text: '' });
    assert.equal(session.stats(0).heldBytes, 0);
  });

  it('take more for as long as the pipe is lost, so that who writes need not wait', () => {
    const lone = LoneSession.attached('daemon', config);
    session = lone.session;
    const streams = [1, 2].map((name) => session.open(`port/${name}`, 'bulk', lone.now));
    const [first = 0, second = 0] = streams;
    assert.equal(fill(first), STREAM_BYTES + CHUNK);
    lone.events();
    session.pipeClosed(lone.now);
    assert.deepEqual(lone.events(), [{ type: 'writable', stream: first }]);
    assert.equal(STREAM_BYTES + CHUNK + fill(first), ALL_BYTES / 2 + CHUNK);
    assert.equal(fill(second), STREAM_BYTES + CHUNK, 'half of all is left for the others');
    lone.attach(0, 'resumed');
    assert.equal(session.write(first, new Uint8Array(1)), false);
  });
});
