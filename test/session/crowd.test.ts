import assert from 'node:assert/strict';
import { LoneSession } from '../support/lone-session.ts';

describe('a stream in a crowd', () => {
  const config = {
    streamBufferBytes: 100_000,
    crowdedBufferBytes: 150_000,
    minInFlightBytes: 1_000_000,
  };
  const crowd = (count: number) => {
    const lone = LoneSession.attached('daemon', config);
    const ids = Array.from({ length: count }, () => lone.session.open('node/a', 'bulk', lone.now));
    const write = (at: number, bytes: number): boolean =>
      lone.session.write(ids[at] ?? 0, new Uint8Array(bytes));
    const writable = () =>
      lone.events().flatMap((event) => (event.type === 'writable' ? [event.stream] : []));
    return { lone, ids, write, writable };
  };

  it('waits with half of its own buffer in use until all buffers have room', () => {
    const { lone, ids, write, writable } = crowd(4);
    assert.deepEqual([write(0, 60_000), write(1, 60_000), write(2, 60_000)], [true, true, false]);
    assert.equal(write(3, 1_000), true, 'one that sends little');
    lone.sent(20_000);
    assert.deepEqual(writable(), []);
    lone.sent();
    assert.deepEqual(writable(), ids.slice(2, 3));
  });

  it('does not wait for others when it has nothing left to send', () => {
    const { lone, ids, write, writable } = crowd(3);
    // No stream has more than the 64 KiB of credit that it began with.
    for (const at of [0, 1]) write(at, 190_000);
    assert.equal(write(2, 60_000), false);
    lone.sent();
    assert.ok(ids.slice(0, 2).every((id) => lone.session.bufferedBytes(id) > 100_000));
    assert.deepEqual(writable(), ids.slice(2));
  });

  it('has room when another one that filled the buffers ends', () => {
    const { lone, ids, write, writable } = crowd(2);
    write(0, 250_000);
    assert.equal(write(1, 90_000), false);
    lone.sent();
    assert.deepEqual(writable(), []);
    assert.ok(lone.session.bufferedBytes(ids[1] ?? 0) > 0);
    lone.session.reset(ids[0] ?? 0, { code: 16, text: 'stalled' });
    assert.deepEqual(writable(), ids.slice(1));
  });

  it('fills its own buffer while the pipe is lost', () => {
    const { lone, write } = crowd(3);
    lone.session.pipeClosed(lone.now);
    assert.deepEqual([write(0, 90_000), write(1, 90_000), write(2, 90_000)], [true, true, true]);
  });
});
