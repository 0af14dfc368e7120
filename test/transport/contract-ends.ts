import assert from 'node:assert/strict';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { pattern } from '../support/pattern.ts';
import { own } from '../support/recording-pipe.ts';
import { CHUNK, gone, never, type Stage } from './contract-support.ts';

/** Pipes, carriers and attempts end once, for a reason that is told, and leave nothing. */
export function itEnds(stage: Stage): void {
  it('is closed once and for all, at both ends', async () => {
    const [pipe, socket] = await stage.open();
    const owner = own(pipe);
    socket.resume();
    pipe.close();
    pipe.close(new EpmuxError('INTERNAL', 'too late to matter'));
    pipe.write(Buffer.from('nobody'));
    pipe.end();
    await Promise.all([owner.called('closed'), gone(socket)]);
    socket.write('nobody');
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(owner.calls, ['closed']);
    assert.equal(owner.error, undefined);
  });

  it('ends the far end also when it is closed with an error and much is buffered', async () => {
    const [pipe, socket] = await stage.open();
    own(pipe);
    for (let i = 0; i < 64; i += 1) pipe.write(pattern(1, 0, CHUNK));
    pipe.close(new EpmuxError('PIPE_LOST', 'enough'));
    socket.resume();
    await gone(socket);
  });

  it('reports a loss exactly once', async () => {
    const [pipe, socket] = await stage.open();
    const owner = own(pipe);
    socket.resume();
    socket.write('alive');
    await owner.called('bytes');
    await stage.rig.sever(socket);
    await owner.called('closed');
    pipe.close();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(owner.error?.code, stage.rig.lossCode);
    assert.equal(owner.calls.filter((call) => call === 'closed').length, 1);
  });

  it('tells a late start of the loss', async () => {
    const [pipe, socket] = await stage.open();
    socket.resume();
    await stage.rig.sever(socket);
    await gone(socket);
    const owner = own(pipe);
    assert.deepEqual(owner.calls, []);
    await owner.called('closed');
    assert.equal(owner.error?.code, stage.rig.lossCode);
  });

  it('opens several pipes, which know nothing of each other', async () => {
    const first = await stage.open();
    const second = await stage.open();
    const owners = [own(first[0]), own(second[0])] as const;
    first[1].write('one');
    second[1].write('two');
    await Promise.all(owners.map((owner) => owner.called('bytes')));
    first[0].close();
    await owners[0].called('closed');
    second[1].write('!');
    await owners[1].until(() => owners[1].text.endsWith('!'));
    assert.deepEqual([owners[0].text, owners[1].text], ['one', 'two!']);
  });

  it('ends all its pipes when the carrier is closed, and opens no more', async () => {
    const outcomes: unknown[] = [];
    stage.carrier.onClosed((error) => outcomes.push(error));
    const [pipe, socket] = await stage.open();
    const owner = own(pipe);
    socket.resume();
    stage.carrier.close();
    stage.carrier.close();
    await Promise.all([owner.called('closed'), gone(socket)]);
    assert.equal(owner.error?.code, 'PIPE_LOST');
    await assert.rejects(stage.carrier.openAgentPipe(never), { code: 'PIPE_LOST' });
    const late = new Promise((resolve) => stage.carrier.onClosed(resolve));
    assert.equal(await late, undefined);
    assert.deepEqual(outcomes, [undefined]);
  });

  it('gives up when told to, at any moment', async () => {
    const attempts = [0, 1, 2, 3, 5, 8, 13].map(async (turns) => {
      const abort = new AbortController();
      const attempt = stage.rig.transport.connect(abort.signal).then(async (other) => {
        try {
          const pipe = await other.openAgentPipe(abort.signal);
          pipe.close();
        } finally {
          other.close();
        }
      });
      for (let turn = 0; turn < turns; turn += 1) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      abort.abort();
      // Some are through before they are told.
      await attempt.catch((error: unknown) => {
        assert.ok(error instanceof EpmuxError);
        assert.equal(error.code, 'INTERRUPTED');
      });
    });
    await Promise.all(attempts);
  });

  it('keeps nothing of a pipe that was given up while it was opened', async () => {
    for (const turns of [0, 1, 2, 4, 8, 16]) {
      const abort = new AbortController();
      const opening = stage.carrier.openAgentPipe(abort.signal);
      for (let turn = 0; turn < turns; turn += 1) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      abort.abort();
      await opening.then(
        (pipe) => pipe.close(),
        (error: EpmuxError) => assert.equal(error.code, 'INTERRUPTED'),
      );
    }
    // The carrier lives: only what was opened through it may be gone. One more shows that the ones
    // before are through.
    const [pipe] = await stage.open();
    pipe.close();
    await stage.far.deserted();
  });

  it('gives the reason of the abort as its own where that is an error of ours', async () => {
    const reason = new EpmuxError('TIMEOUT', 'it took too long');
    const signal = AbortSignal.abort(reason);
    await assert.rejects(
      stage.rig.transport.connect(signal).then((other) => other.openAgentPipe(signal)),
      reason,
    );
  });
}
