import assert from 'node:assert/strict';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { deferred } from '../../src/runtime/wait.ts';
import { CarrierLife } from '../../src/transport/carrier-life.ts';

describe('the life of a carrier', () => {
  const lost = new EpmuxError('PIPE_LOST', 'gone');

  it('ends once, by what came first, and tells early and late listeners alike', async () => {
    const life = new CarrierLife('somewhere');
    const told: unknown[] = [];
    life.onClosed((error) => told.push(error));
    assert.equal(life.end(lost), true);
    assert.equal(life.end(undefined), false);
    assert.equal(told.length, 0);
    await new Promise((resolve) => life.onClosed(resolve));
    life.onClosed((error) => told.push(error));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(told, [lost, lost]);
    assert.deepEqual([life.closed, life.lost, life.closedError()], [true, true, lost]);
  });

  it('is closed rather than lost when this end closes it', () => {
    const life = new CarrierLife('somewhere');
    life.end(undefined);
    life.end(lost);
    assert.deepEqual([life.closed, life.lost], [true, false]);
    assert.equal(life.closedError().code, 'PIPE_LOST');
    assert.match(life.closedError().message, /somewhere was closed/);
  });

  it('ends what is under way on it, as does its caller', async () => {
    const life = new CarrierLife('somewhere');
    const abort = new AbortController();
    const done = deferred();
    const under: Promise<void>[] = [];
    const signalOf = (caller: AbortSignal): AbortSignal => {
      let given: AbortSignal | undefined;
      const work = life.during(caller, (signal) => {
        given = signal;
        return done.promise;
      });
      under.push(work);
      return given ?? assert.fail();
    };
    const [byCaller, byEnd] = [signalOf(abort.signal), signalOf(new AbortController().signal)];
    abort.abort();
    assert.deepEqual([byCaller.aborted, byEnd.aborted], [true, false]);
    life.end(lost);
    assert.equal(byEnd.reason, lost);
    done.resolve();
    await Promise.all(under);
  });
});
