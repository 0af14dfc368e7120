import assert from 'node:assert/strict';
import { readPipe } from '../../../src/cli/doctor/read-pipe.ts';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MemoryPipe } from '../../support/memory-pipe.ts';

describe('what the doctor reads from a pipe', () => {
  let clock: ManualClock;
  let pipe: MemoryPipe;
  beforeEach(() => {
    clock = new ManualClock();
    pipe = new MemoryPipe();
  });
  const { signal } = new AbortController();
  const read = (enough?: (bytes: Buffer) => boolean) =>
    readPipe(pipe, {
      clock,
      signal,
      limitMs: 5_000,
      maxBytes: 8,
      what: 'the shell',
      say: Buffer.from('hello'),
      thenEnd: true,
      ...(enough === undefined ? {} : { enough }),
    });
  const say = (text: string) => pipe.handlers?.onBytes(Buffer.from(text));
  const isDone = () => assert.deepEqual([pipe.closed, clock.waiting], [{ error: undefined }, 0]);

  it('is all until the end, once it has said its own', async () => {
    const reading = read();
    assert.deepEqual([pipe.text, pipe.ended], ['hello', true]);
    say('one ');
    say('two');
    pipe.handlers?.onEnd();
    assert.equal((await reading).toString(), 'one two');
    isDone();
  });

  it('is what suffices', async () => {
    const reading = read((bytes) => bytes.includes('.'));
    say('one');
    say('.');
    assert.equal((await reading).toString(), 'one.');
    isDone();
  });

  it('is nothing when somebody else speaks there', async () => {
    const stranger = new EpmuxError('NOT_AN_AGENT', 'it is an SSH server');
    const reading = read(() => {
      throw stranger;
    });
    say('SSH-2.0');
    await assert.rejects(reading, stranger);
    isDone();
  });

  it('has a bound in bytes and in time', async () => {
    const reading = read();
    say('far too much');
    await assert.rejects(reading, {
      code: 'PROTOCOL',
      message: 'the shell says more than 8 bytes',
    });
    isDone();

    pipe = new MemoryPipe();
    const silent = read();
    clock.advance(5_000);
    const late = { code: 'TIMEOUT', message: 'the shell did not answer within 5 s' };
    await assert.rejects(silent, late);
    isDone();
  });

  it('breaks off with the pipe', async () => {
    const lost = new EpmuxError('PIPE_LOST', 'cut');
    const reading = read();
    pipe.handlers?.onClosed(lost);
    await assert.rejects(reading, lost);
    isDone();
  });
});
