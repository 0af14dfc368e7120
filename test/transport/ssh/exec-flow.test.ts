import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pattern } from '../../support/pattern.ts';
import { own } from '../../support/recording-pipe.ts';
import { standstill } from '../../support/standstill.ts';
import { commandsOverSsh } from './exec-support.ts';

const CHUNK = 64 * 1024;

/** Counts bytes, and tells when there are enough. */
function counter() {
  let count = 0;
  let enough = Number.POSITIVE_INFINITY;
  let tell: () => void = () => {};
  return {
    add(chunk: Uint8Array): void {
      count += chunk.length;
      if (count >= enough) tell();
    },
    reach(bytes: number): Promise<void> {
      enough = bytes;
      return count >= bytes ? Promise.resolve() : new Promise((resolve) => (tell = resolve));
    },
  };
}

describe('a command over SSH, and its streams', () => {
  const over = commandsOverSsh();

  it('is not over before stderr was delivered that had been held back', async () => {
    const remote = await over.start('head -c 1000000 /dev/zero >&2');
    let errors = 0;
    remote.onStderr((chunk) => {
      errors += chunk.length;
    });
    const owner = own(remote.io);
    remote.io.pause();
    await remote.exited;
    assert.deepEqual([errors, owner.calls], [0, []]);
    remote.io.resume();
    await owner.called('closed');
    assert.equal(errors, 1_000_000);
  });

  it('carries 50 MB through cat, byte for byte', async () => {
    const total = 800 * CHUNK;
    const remote = await over.start('cat');
    const received = createHash('sha256');
    const sent = createHash('sha256');
    let size = 0;
    const owner = own(remote.io);
    owner.onBytes = (chunk) => {
      received.update(chunk);
      size += chunk.length;
    };
    let writable: () => void = () => {};
    owner.onWritable = () => writable();
    for (let at = 0; at < total; at += CHUNK) {
      const chunk = pattern(1, at, CHUNK);
      sent.update(chunk);
      if (remote.io.write(chunk)) continue;
      await new Promise<void>((resolve) => {
        writable = resolve;
      });
    }
    remote.io.end();
    await owner.called('closed');
    assert.equal(size, total);
    assert.equal(received.digest('hex'), sent.digest('hex'));
    assert.equal((await remote.exited).code, 0);
  });

  it('loses nothing when its stdin ends early and its output comes late', async () => {
    const remote = await over.start('sleep 0.2; wc -c; head -c 300000 /dev/zero');
    const owner = own(remote.io);
    remote.io.write(Buffer.alloc(10_000));
    remote.io.end();
    await owner.called('closed');
    assert.equal(owner.bytes.length, 300_000 + '10000\n'.length);
  });

  describe('that writes without end', () => {
    const ROUND = 200_000;
    /** More rounds than all buffers on the way hold. */
    const TOO_MANY = 60;
    let rounds: () => number;
    let flood: (big: 'stdout' | 'stderr') => string;

    beforeEach(() => {
      const file = join(over.sshd.folder, 'rounds');
      writeFileSync(file, '');
      rounds = () => statSync(file).size;
      flood = (big) => {
        const [bytes, word] = big === 'stdout' ? ['', '>&2'] : ['>&2', ''];
        return `while head -c ${ROUND} /dev/zero ${bytes} && echo word ${word}; do printf x >>${file}; done`;
      };
    });

    it('stands still while its stdout is held, though words on stderr come in between', async () => {
      const remote = await over.start(flood('stdout'));
      const errors = counter();
      remote.onStderr(errors.add);
      const bytes = counter();
      own(remote.io).onBytes = bytes.add;
      remote.io.pause();
      await standstill(rounds);
      assert.ok(rounds() < TOO_MANY, `${rounds()} rounds were taken though nobody reads`);
      remote.io.resume();
      await Promise.all([bytes.reach(100 * ROUND), errors.reach(300)]);
      remote.close();
    });

    it('stands still while its stderr is held, though words on stdout come in between', async () => {
      const remote = await over.start(flood('stderr'));
      const bytes = counter();
      own(remote.io).onBytes = bytes.add;
      await standstill(rounds);
      assert.ok(rounds() < TOO_MANY, `${rounds()} rounds were taken though nobody listens`);
      const errors = counter();
      remote.onStderr(errors.add);
      await Promise.all([errors.reach(100 * ROUND), bytes.reach(300)]);
      remote.close();
    });

    it('stands still while its stderr floods a listener that pauses it', async () => {
      const remote = await over.start(flood('stderr'));
      const errors = counter();
      own(remote.io);
      remote.onStderr(errors.add);
      remote.io.pause();
      await standstill(rounds);
      assert.ok(rounds() < TOO_MANY, `${rounds()} rounds were taken though it is paused`);
      remote.io.resume();
      await errors.reach(100 * ROUND);
      remote.close();
    });

    it('goes on when it is held back time and again', async () => {
      const remote = await over.start(flood('stdout'));
      const bytes = counter();
      const owner = own(remote.io);
      remote.onStderr(() => {});
      owner.onBytes = (chunk) => {
        bytes.add(chunk);
        remote.io.pause();
        setImmediate(() => remote.io.resume());
      };
      await bytes.reach(100 * ROUND);
      remote.close();
    });
  });
});
