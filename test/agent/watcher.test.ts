import assert from 'node:assert/strict';
import { type NodeWatcher, WATCH_LIMITS } from '../../src/agent/watcher.ts';
import type { Directory } from '../../src/session/types.ts';
import type { ManualClock } from '../support/manual-clock.ts';
import { type FakeHost, MOST, pass, STEP_MS, WatchedHost } from './watcher-support.ts';

describe('the watcher of epmd', () => {
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

  it('publishes a node once, under its full name', async () => {
    host.registered = [{ name: 'app', port: 40_000 }];
    host.hidden.add('app');
    watcher.start();
    await pass(clock, 5_000);
    assert.deepEqual(published, [
      {
        epoch: 1,
        epmdDown: false,
        truncated: false,
        nodes: [
          {
            name: 'app@dyno',
            visible: false,
            cookieKnown: false,
            port: 40_000,
            creation: 400_000,
            release: '',
          },
        ],
      },
    ]);
    assert.equal(host.polls, 6);
    assert.deepEqual(host.asked, ['app'], 'asked once, however often it is seen');
    assert.equal(watcher.directory, published[0]);
  });

  it('publishes that there is no node', async () => {
    watcher.start();
    await pass(clock, 0);
    assert.deepEqual(published.length, 1);
    assert.deepEqual(names(), []);
  });

  it('tells new, moved and gone nodes', async () => {
    watcher.start();
    host.registered = [
      { name: 'b', port: 2 },
      { name: 'a', port: 1 },
    ];
    await pass(clock, 1_000);
    assert.deepEqual(names(), ['a@dyno', 'b@dyno']);
    host.registered = [{ name: 'b', port: 3 }];
    await pass(clock, 1_000);
    assert.deepEqual(names(), ['b@dyno']);
    assert.equal(published.at(-1)?.nodes[0]?.port, 3);
    assert.equal(published.at(-1)?.nodes[0]?.creation, 30, 'on another port it is asked again');
    host.registered = [];
    await pass(clock, 1_000);
    assert.deepEqual(names(), []);
    assert.deepEqual(
      published.map(({ epoch }) => epoch),
      published.map((_, index) => index + 1),
    );
  });

  it('flags an epmd that does not answer and keeps the nodes it knew', async () => {
    host.registered = [{ name: 'app', port: 1 }];
    watcher.start();
    await pass(clock, 1_000);
    host.down = true;
    await pass(clock, 1_000);
    assert.equal(published.at(-1)?.epmdDown, true);
    assert.deepEqual(names(), ['app@dyno']);
    host.down = false;
    await pass(clock, 1_000);
    assert.equal(published.at(-1)?.epmdDown, false);
    assert.equal(published.length, 3);
    assert.deepEqual(host.asked, ['app']);
  });

  it('does nothing at all while it is stopped', async () => {
    watcher.start();
    await pass(clock, 1_000);
    watcher.stop();
    const { polls } = host;
    host.registered = [{ name: 'app', port: 1 }];
    await pass(clock, 60_000);
    assert.equal(host.polls, polls);
    assert.equal(clock.waiting, 0);
    watcher.start();
    await pass(clock, 0);
    assert.deepEqual(names(), ['app@dyno']);
  });

  it('polls once at a time when it is stopped and started while epmd is asked', async () => {
    watcher.start();
    watcher.stop();
    watcher.start();
    await pass(clock, 10_000);
    assert.equal(host.polls, 12, 'the abandoned poll, and eleven of the new run');
    assert.equal(clock.waiting, 1);
  });

  it('publishes a node that takes long to tell its name later than the others, at last without', async () => {
    let release = (): void => {};
    host.slow = new Promise((resolve) => {
      release = resolve;
    });
    host.registered = [{ name: 'app', port: 1 }];
    watcher.start();
    await pass(clock, WATCH_LIMITS.holdMs - 1);
    assert.deepEqual(names(), undefined);
    await pass(clock, 1);
    assert.deepEqual(names(), []);
    await pass(clock, WATCH_LIMITS.patienceMs - WATCH_LIMITS.holdMs - STEP_MS);
    assert.deepEqual(names(), []);
    await pass(clock, STEP_MS);
    assert.deepEqual(names(), ['app']);
    release();
    await pass(clock, 0);
    assert.deepEqual(names(), ['app@dyno']);
  });

  it('tells of which nodes the cookie is known, and asks again when it is told to', async () => {
    host.registered = [
      { name: 'app', port: 1 },
      { name: 'other', port: 2 },
    ];
    host.proved.add('app');
    watcher.start();
    await pass(clock, 1_000);
    const known = (): boolean[] | undefined =>
      published.at(-1)?.nodes.map(({ cookieKnown }) => cookieKnown);
    assert.deepEqual(known(), [true, false]);
    host.proved = new Set(['other']);
    await pass(clock, 5_000);
    assert.deepEqual(known(), [true, false], 'nobody asks without a reason');
    for (const name of ['app', 'other', 'nobody']) watcher.askAgain(name);
    await pass(clock, 1_000);
    assert.deepEqual(known(), [false, true]);
  });

  it('looks less often when there is no news, and often again when there is', async () => {
    watcher.start();
    await pass(clock, WATCH_LIMITS.calmAfterMs + WATCH_LIMITS.calmPollMs);
    const { polls } = host;
    await pass(clock, 60_000);
    assert.equal(host.polls - polls, 60_000 / WATCH_LIMITS.calmPollMs);
    host.registered = [{ name: 'app', port: 1 }];
    watcher.look();
    await pass(clock, WATCH_LIMITS.pollMs);
    assert.deepEqual(names(), ['app@dyno']);
    const after = host.polls;
    await pass(clock, 10_000);
    assert.equal(host.polls - after, 10);
  });

  it('asks few nodes at once and no more nodes than fit', async () => {
    host.registered = Array.from({ length: MOST + 5 }, (_, index) => ({
      name: `n${index}`,
      port: index + 1,
    }));
    watcher.start();
    await pass(clock, 3_000);
    assert.equal(host.mostAtOnce, WATCH_LIMITS.probesAtOnce);
    assert.equal(published.at(-1)?.nodes.length, MOST);
    assert.equal(published.at(-1)?.truncated, true);
    assert(names()?.every((name) => name.endsWith('@dyno')));
  });
});
