import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import type { DynosHandlers, WantedDyno } from '../../src/daemon/dynos.ts';
import { Formation, type FormationOptions } from '../../src/daemon/formation.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { FirstRequest } from '../../src/transport/transport.ts';
import { DEFAULT_LIMITS } from '../support/default-limits.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { dyno, FakeApp } from './formation-support.ts';

const STEP_MS = 100;

describe('a formation', () => {
  let clock: ManualClock;
  let app: FakeApp;
  let formation: Formation;
  let dynos: readonly WantedDyno[];
  let failed: EpmuxError[];
  let lookFailures: string[];
  let isAnyUp: boolean;
  let limits: FormationOptions['limits'];

  beforeEach(() => {
    limits = DEFAULT_LIMITS;
    clock = new ManualClock();
    app = new FakeApp(clock);
    dynos = [];
    failed = [];
    lookFailures = [];
    isAnyUp = true;
  });
  afterEach(() => formation.close());

  const begin = async (selectors: readonly string[], isBack: boolean): Promise<void> => {
    formation = new Formation({ app, selectors, limits, clock, logger: silentLogger });
    const handlers: DynosHandlers = {
      onDynos: (now) => {
        dynos = now;
      },
      onChange: () => undefined,
      onAttemptFailed: (error) => failed.push(error),
      onLookFailed: ({ code }) => lookFailures.push(code),
      onStep: () => undefined,
      isAnyUp: () => isAnyUp,
    };
    formation.start(handlers, isBack);
    await turn();
  };
  const start = (...selectors: string[]): Promise<void> => begin(selectors, false);
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      clock.advance(STEP_MS);
      await turn();
    }
  };
  /** How often the app is asked within this time. */
  const looksWithin = async (ms: number): Promise<number> => {
    const before = app.looks.length;
    await pass(ms);
    return app.looks.length - before;
  };

  it('is asked for again within the bounds of the daemon', async () => {
    limits = { ...DEFAULT_LIMITS, reconnectMaxMs: 400 };
    app.failure = new EpmuxError('HEROKU_UNAVAILABLE', 'no network yet');
    await start();
    await pass(60_000);
    assert.ok((await looksWithin(60_000)) >= 100);
  });

  it('is looked at every 15 s while all is well', async () => {
    await start();
    assert.deepEqual(dynos, [{ id: 'web.1', name: 'web.1', state: 'up' }]);
    assert.equal(formation.state, 'up');
    assert.equal(await looksWithin(150_000), 10);
  });

  it('is looked at once a link was lost, and every 2 s for a minute', async () => {
    await start();
    await pass(5_000);
    formation.onLinkLost();
    assert.equal(await looksWithin(STEP_MS), 1);
    assert.equal(await looksWithin(58_000), 29);
    await pass(10_000);
    assert.equal(await looksWithin(60_000), 4);
  });

  it('is looked at every 2 s for a minute after a dyno was seen not up', async () => {
    await start();
    app.shown = [dyno('web.1'), dyno('worker.1', 'starting')];
    await pass(15_000);
    assert.equal(dynos.length, 2);
    assert.equal(await looksWithin(58_000), 29);
    await pass(20_000);
    assert.equal(await looksWithin(60_000), 4, 'also when it stays so');
  });

  it('is never looked at more than once a second, whatever happens', async () => {
    await start();
    for (let i = 0; i < 200; i += 1) {
      formation.onLinkLost();
      formation.again();
      await pass(STEP_MS);
    }
    const gaps = app.looks.slice(1).map((at, index) => at - (app.looks[index] ?? 0));
    assert.ok(gaps.length >= 18, `${gaps.length} looks in 20 s`);
    assert.ok(
      gaps.every((gap) => gap >= 1_000),
      `gaps ${gaps}`,
    );
  });

  describe('after a link was lost', () => {
    const connect = (): Promise<unknown> => {
      const [lost] = dynos;
      assert.ok(lost !== undefined);
      formation.onLinkLost();
      const first = (): FirstRequest => ({ agentPort: 7 });
      return formation.transport(lost).connect(new AbortController().signal, first);
    };

    it('does not let it connect to another dyno of the same name', async () => {
      await start();
      await pass(5_000);
      app.shown = [dyno('web.1', 'up', 'another')];
      const refused = assert.rejects(connect(), { code: 'DYNO_RESTARTED' });
      await pass(2_000);
      await refused;
    });

    it('lets it connect again to the same one, also while Heroku does not answer', async () => {
      await start();
      await pass(5_000);
      const again = assert.rejects(connect(), { code: 'CONNECT_FAILED' });
      await pass(1_200);
      await again;
      assert.deepEqual(app.foreseen, [{ agentPort: 7 }]);
      app.failure = new EpmuxError('HEROKU_UNAVAILABLE', 'away');
      const blindly = assert.rejects(connect(), { code: 'CONNECT_FAILED' });
      await pass(2_000);
      await blindly;
    });
  });

  it('gives the selected ones only, and no one-off dynos', async () => {
    app.shown = [dyno('web.1'), dyno('worker.1'), dyno('run.1234')];
    await start('web', 'run.1234');
    assert.deepEqual(
      dynos.map(({ name }) => name),
      ['run.1234', 'web.1'],
    );
    assert.equal(formation.target, 'heroku://my-app/web,run.1234');
  });

  it('asks for its dynos while it asks whether Exec leads there, and tells first why it does not', async () => {
    app.obstacle = new EpmuxError('EXEC_DISABLED', 'it is off');
    app.failure = new EpmuxError('HEROKU_UNAVAILABLE', 'not now');
    await start();
    assert.equal(app.looks.length, 1);
    assert.deepEqual(
      failed.map(({ code }) => code),
      ['EXEC_DISABLED'],
    );
  });

  it('at the beginning has to have what was selected, up', async () => {
    await start('web.2');
    assert.equal(failed[0]?.code, 'DYNO_NOT_FOUND');
    await formation.close();
    app.shown = [dyno('web.1', 'crashed')];
    await start();
    assert.equal(failed[1]?.code, 'DYNO_NOT_RUNNING');
    app.shown = [dyno('web.1')];
    await pass(2_000);
    assert.equal(dynos.length, 1, 'tried again by itself');
  });

  it('later may be without any', async () => {
    await start();
    app.shown = [];
    await pass(15_000);
    assert.deepEqual(dynos, []);
    assert.equal(formation.state, 'up');
    assert.deepEqual(failed, []);
  });

  it('that comes back with the daemon may be without some of what was selected, and notes it', async () => {
    await begin(['web', 'worker'], true);
    assert.deepEqual(
      dynos.map(({ name }) => name),
      ['web.1'],
    );
    assert.equal(formation.state, 'up');
    assert.equal(formation.lastError?.code, 'DYNO_NOT_FOUND');
    assert.deepEqual(failed, []);
    app.shown = [dyno('web.1'), dyno('worker.1')];
    await pass(15_000);
    assert.equal(dynos.length, 2);
  });

  it('that comes back without any is looked at as before', async () => {
    app.shown = [];
    await begin([], true);
    assert.equal(formation.lastError?.code, 'DYNO_NOT_RUNNING');
    assert.deepEqual(failed, []);
    assert.equal(await looksWithin(150_000), 10);
  });

  it('is given up where only a person can help, until somebody asks again', async () => {
    app.obstacle = new EpmuxError('EXEC_DISABLED', 'off');
    await start();
    assert.equal(formation.state, 'failed');
    assert.equal(await looksWithin(120_000), 0);
    app.obstacle = undefined;
    formation.again();
    await turn();
    assert.equal(formation.state, 'up');
    assert.equal(dynos.length, 1);
  });

  it('stays as it was known while Heroku does not answer, and says so', async () => {
    await start();
    app.failure = new EpmuxError('HEROKU_UNAVAILABLE', 'away');
    await pass(16_000);
    assert.equal(dynos.length, 1);
    assert.equal(formation.state, 'up');
    assert.equal(formation.lastError?.code, 'HEROKU_UNAVAILABLE');
    assert.deepEqual(lookFailures, ['HEROKU_UNAVAILABLE']);
    formation.onLinkLost();
    assert.ok((await looksWithin(20_000)) <= 5, 'Heroku is spared');
    app.failure = new EpmuxError('HEROKU_RATE_LIMITED', 'too often');
    await pass(5_000);
    assert.equal(await looksWithin(55_000), 0);
  });

  it('is not asked for within a minute of 429, whatever happens meanwhile', async () => {
    isAnyUp = false;
    app.failure = new EpmuxError('HEROKU_RATE_LIMITED', 'too often');
    await start();
    assert.deepEqual(
      failed.map(({ code }) => code),
      ['HEROKU_RATE_LIMITED'],
    );
    assert.equal(await looksWithin(59_900), 0);
    app.failure = undefined;
    assert.equal(await looksWithin(STEP_MS), 1);
    assert.equal(formation.state, 'up');
    app.failure = new EpmuxError('HEROKU_RATE_LIMITED', 'too often', {
      details: { retryAfterMs: '90000' },
    });
    await pass(15_000);
    formation.onLinkLost();
    assert.equal(await looksWithin(89_900), 0);
    assert.equal(await looksWithin(STEP_MS), 1);
    await pass(1_000);
    formation.again();
    assert.equal(await looksWithin(STEP_MS), 1, 'but when a person asks');
  });

  describe('under which Exec was turned off', () => {
    const connect = (): Promise<unknown> => {
      const [only] = dynos;
      assert.ok(only !== undefined);
      return formation.transport(only).connect(new AbortController().signal);
    };
    const off = new EpmuxError('EXEC_DISABLED', 'it is off');

    beforeEach(async () => {
      await start();
      app.obstacle = off;
      await pass(20_000);
    });

    it('stays as it is while a link is up', async () => {
      formation.again();
      await pass(120_000);
      assert.deepEqual([formation.state, app.checks], ['up', 1]);
    });

    it('says so when a person asks, and so does each link that is tried then', async () => {
      isAnyUp = false;
      formation.again();
      const refused = assert.rejects(connect(), { code: 'EXEC_DISABLED' });
      await pass(1_000);
      await refused;
      assert.equal(formation.state, 'failed');
      assert.equal(failed[0]?.code, 'EXEC_DISABLED');
      formation.again();
      const still = assert.rejects(connect(), { code: 'EXEC_DISABLED' });
      await pass(1_000);
      await still;
      app.obstacle = undefined;
      formation.again();
      const tried = assert.rejects(connect(), { code: 'CONNECT_FAILED' });
      await pass(1_000);
      await tried;
      assert.equal(formation.state, 'up');
    });

    it('says so by itself within a minute after the last link was lost', async () => {
      isAnyUp = false;
      formation.onLinkLost();
      await pass(60_000);
      assert.equal(formation.state, 'failed');
      assert.equal(failed[0]?.code, 'EXEC_DISABLED');
    });
  });

  it('outlives a refused key while a link is up, and is given up when none is', async () => {
    await start();
    app.failure = new EpmuxError('HEROKU_AUTH_REFUSED', 'revoked');
    app.obstacle = app.failure;
    await pass(15_000);
    assert.equal(formation.state, 'up');
    assert.equal(formation.lastError?.code, 'HEROKU_AUTH_REFUSED');
    isAnyUp = false;
    formation.onLinkLost();
    await pass(3_000);
    assert.equal(formation.state, 'failed');
    app.failure = undefined;
    app.obstacle = undefined;
    formation.again();
    await turn();
    assert.equal(formation.state, 'up');
  });
});
