import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { withEither } from '../../src/runtime/either-signal.ts';
import { deferred } from '../../src/runtime/wait.ts';

describe('work under two signals', () => {
  it('is aborted by the first of them, with its reason', async () => {
    for (const which of [0, 1] as const) {
      const sources = [new AbortController(), new AbortController()] as const;
      await withEither(sources[0].signal, sources[1].signal, async (signal) => {
        assert.equal(signal.aborted, false);
        sources[which].abort('the first');
        sources[1 - which]?.abort('the other');
        assert.equal(signal.reason, 'the first');
      });
    }
  });

  it('is aborted from the start where one of them was', async () => {
    const aborted = AbortSignal.abort('before');
    const reason = await withEither(
      new AbortController().signal,
      aborted,
      async (signal) => signal.reason,
    );
    assert.equal(reason, 'before');
  });

  it('leaves nothing with them, however it ends', async () => {
    const { signal } = new AbortController();
    const other = new AbortController().signal;
    const first = deferred<string>();
    const second = deferred<string>();
    const done = withEither(signal, other, () => first.promise);
    const failed = withEither(signal, other, () => second.promise);
    assert.equal(getEventListeners(signal, 'abort').length, 2);
    first.resolve('done');
    second.reject(new Error('failed'));
    assert.equal(await done, 'done');
    await assert.rejects(failed, /failed/);
    for (const source of [signal, other]) {
      assert.equal(getEventListeners(source, 'abort').length, 0);
    }
  });
});
