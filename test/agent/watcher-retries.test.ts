import assert from 'node:assert/strict';
import { type NodeWatcher, WATCH_LIMITS } from '../../src/agent/watcher.ts';
import type { Directory } from '../../src/session/types.ts';
import type { ManualClock } from '../support/manual-clock.ts';
import { type FakeHost, pass, WatchedHost } from './watcher-support.ts';

describe('the watcher of epmd, with nodes that do not tell', () => {
  let clock: ManualClock;
  let host: FakeHost;
  let published: Directory[];
  let watcher: NodeWatcher;
  let names: () => string[] | undefined;

  beforeEach(() => {
    const watched = new WatchedHost();
    ({ clock, host, published, watcher } = watched);
    names = () => watched.names();
  });

  it('asks a node that does not tell its name a few times, then each minute', async () => {
    host.registered = [{ name: 'app', port: 1 }];
    host.silent.add('app');
    watcher.start();
    await pass(clock, WATCH_LIMITS.retryLaterMs);
    const often = 1 + WATCH_LIMITS.retryMs.length;
    assert.equal(host.asked.length, often);
    assert.deepEqual(names(), ['app']);
    await pass(clock, 2 * WATCH_LIMITS.retryLaterMs);
    assert.equal(host.asked.length, often + 2);
    host.silent.clear();
    await pass(clock, WATCH_LIMITS.retryLaterMs);
    assert.deepEqual(names(), ['app@dyno']);
    await pass(clock, 2 * WATCH_LIMITS.retryLaterMs);
    assert.equal(host.asked.length, often + 3, 'it has told');
  });

  it('asks a node that has not told its name at once when somebody attaches anew', async () => {
    host.registered = [{ name: 'app', port: 1 }];
    host.silent.add('app');
    watcher.start();
    await pass(clock, WATCH_LIMITS.retryLaterMs);
    watcher.stop();
    host.silent.clear();
    watcher.start();
    await pass(clock, 0);
    assert.deepEqual(names(), ['app@dyno']);
  });

  it('asks it soon when somebody else attaches as well', async () => {
    host.registered = [{ name: 'app', port: 1 }];
    host.silent.add('app');
    watcher.start();
    await pass(clock, WATCH_LIMITS.retryLaterMs + WATCH_LIMITS.calmAfterMs);
    const asked = host.asked.length;
    host.silent.clear();
    watcher.start();
    await pass(clock, WATCH_LIMITS.pollMs);
    assert.deepEqual([host.asked.length, names()], [asked + 1, ['app@dyno']]);
  });

  it('asks a node that refuses to tell its name once: it may log that', async () => {
    host.registered = [{ name: 'app', port: 1 }];
    host.refusing.add('app');
    watcher.start();
    await pass(clock, 2 * WATCH_LIMITS.retryLaterMs);
    watcher.stop();
    watcher.start();
    await pass(clock, 2 * WATCH_LIMITS.retryLaterMs);
    assert.deepEqual([host.asked, names()], [['app'], ['app']]);
  });

  it('asks a node again that does not say whether it accepts a cookie', async () => {
    host.registered = [{ name: 'app', port: 1 }];
    host.undecided.add('app');
    host.proved.add('app');
    watcher.start();
    await pass(clock, 500);
    const known = (): boolean | undefined => published.at(-1)?.nodes[0]?.cookieKnown;
    assert.deepEqual([names(), known()], [['app@dyno'], false]);
    host.undecided.clear();
    await pass(clock, 2_000);
    assert.equal(known(), true);
  });

  it('takes a name told at the second asking', async () => {
    host.registered = [{ name: 'app', port: 1 }];
    host.silent.add('app');
    watcher.start();
    await pass(clock, 500);
    assert.deepEqual(names(), ['app']);
    host.silent.clear();
    await pass(clock, 2_000);
    assert.deepEqual(names(), ['app@dyno']);
  });
});
