import assert from 'node:assert/strict';
import type { Dyno } from '../../src/heroku/answers.ts';
import { type EnableProgress, enableExec } from '../../src/heroku/enable-exec.ts';
import { EpmuxError, type ErrorCode } from '../../src/protocol/errors.ts';
import { FakePlatform } from './fake-platform.ts';
import { HurriedClock, never } from './support.ts';

const dyno = (name: string, life: number, state = 'up'): Dyno => ({
  id: `${name} ${life}`,
  name,
  type: name.split('.')[0] ?? '',
  state,
});

describe('Exec, where it is enabled', () => {
  let platform: FakePlatform;
  let clock: HurriedClock;
  let steps: EnableProgress[];

  beforeEach(() => {
    platform = new FakePlatform();
    clock = new HurriedClock([]);
    steps = [];
  });

  const enable = (signal = never): Promise<void> =>
    enableExec({ platform, clock, onProgress: (step) => steps.push(step) }, signal);
  const failure = async (): Promise<EpmuxError> => {
    const error = await enable().then(
      () => assert.fail('it did not fail'),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof EpmuxError);
    return error;
  };

  it('is on once each dyno is back with a new id, and tells of each step', async () => {
    platform.looks = [
      [dyno('web.1', 1), dyno('web.2', 1), dyno('run.7', 1)],
      [dyno('web.1', 1), dyno('web.2', 1)],
      [dyno('web.1', 2), dyno('web.2', 2, 'starting')],
      [dyno('web.1', 2), dyno('web.2', 2)],
    ];
    await enable();
    const changes = platform.calls.filter((call) => call !== 'dynos');
    assert.deepEqual(changes, ['enableExec', 'restartDynos']);
    assert.deepEqual(
      steps.map(({ step, up, of }) => `${step} ${up}/${of}`),
      ['enabling 0/2', 'restarting 0/2', 'waiting 0/2', 'waiting 1/2', 'waiting 2/2'],
    );
    assert.deepEqual(clock.waits, [2_000, 2_000, 2_000]);
  });

  it('restarts nothing where nothing runs', async () => {
    platform.looks = [[dyno('web.1', 1, 'down')]];
    await enable();
    assert.deepEqual(platform.calls, ['dynos', 'enableExec']);
  });

  it('does not wait for dynos that had crashed before or that sleep after', async () => {
    platform.looks = [
      [dyno('web.1', 1), dyno('worker.1', 1, 'crashed')],
      [dyno('web.1', 2, 'idle'), dyno('worker.1', 2, 'crashed')],
    ];
    await enable();
  });

  it('tells of dynos that crash, once nothing else is waited for', async () => {
    platform.looks = [
      [dyno('web.1', 1), dyno('web.2', 1)],
      [dyno('web.1', 2, 'crashed'), dyno('web.2', 2, 'starting')],
      [dyno('web.1', 2, 'crashed'), dyno('web.2', 2)],
    ];
    const error = await failure();
    assert.equal(error.code, 'DYNO_NOT_RUNNING');
    assert.match(error.message, /Heroku Exec is on, but web\.1 of my-app crashed/);
    assert.match(error.hint, /heroku logs/);
  });

  it('does not wait for dynos that were scaled down meanwhile, but for one that is missing for a moment', async () => {
    const back = dyno('web.1', 2);
    platform.looks = [
      [dyno('web.1', 1), dyno('web.2', 1), dyno('worker.1', 1)],
      ...Array.from({ length: 10 }, () => [back]),
      [back, dyno('web.2', 2, 'starting')],
      ...Array.from({ length: 10 }, () => [back]),
      [back, dyno('web.2', 2)],
    ];
    await enable();
    assert.equal(platform.looks.length, 1);
    assert.ok(clock.now() < 60_000);
    assert.deepEqual(steps.at(-1), { step: 'waiting', up: 2, of: 2 });
  });

  it('does not wait where all were scaled down', async () => {
    platform.looks = [[dyno('web.1', 1)], []];
    await enable();
    assert.ok(clock.now() < 60_000);
  });

  it('goes on looking where Heroku could not tell, at its pace', async () => {
    const failing = (code: ErrorCode) => new EpmuxError(code, 'not now');
    platform.looks = [[dyno('web.1', 1)], [dyno('web.1', 2)]];
    platform.dynosFailures = [
      undefined,
      failing('HEROKU_UNAVAILABLE'),
      failing('HEROKU_RATE_LIMITED'),
    ];
    await enable();
    assert.deepEqual(clock.waits, [2_000, 2_000, 60_000]);
  });

  it('says that it is on when the looks fail until the end, or in a way that will stay', async () => {
    platform.looks = [[dyno('web.1', 1)]];
    const failing = new EpmuxError('HEROKU_UNAVAILABLE', 'no answer');
    platform.dynosFailures = [undefined, ...Array.from({ length: 200 }, () => failing)];
    const error = await failure();
    assert.equal(error.code, 'HEROKU_UNAVAILABLE');
    assert.match(error.message, /Exec is on for my-app and its dynos restart, .*: no answer$/);
    assert.match(error.hint, /heroku ps -a my-app/);
    assert.equal(clock.waits.length, 151);

    platform.dynosFailures = [undefined, new EpmuxError('HEROKU_AUTH_REFUSED', 'revoked')];
    const revoked = await failure();
    assert.equal(revoked.code, 'HEROKU_AUTH_REFUSED');
    assert.match(revoked.message, /Exec is on for my-app .*: revoked$/);
  });

  it('says that it is on when it is given up in the middle', async () => {
    platform.looks = [[dyno('web.1', 1)], [dyno('web.1', 2, 'starting')]];
    const abort = new AbortController();
    const enabled = enableExec(
      {
        platform,
        clock,
        onProgress: ({ step }) => {
          if (step === 'waiting') abort.abort();
        },
      },
      abort.signal,
    );
    await assert.rejects(enabled, { code: 'INTERRUPTED', message: /Exec is on for my-app/ });
  });

  it('says that it may be on when it is given up while Heroku is told to', async () => {
    platform.looks = [[dyno('web.1', 1)]];
    const abort = new AbortController();
    platform.failures = { enableExec: new EpmuxError('INTERRUPTED', 'given up') };
    await assert.rejects(enable(), { message: 'given up' }, 'by itself');
    abort.abort();
    await assert.rejects(enable(abort.signal), {
      code: 'INTERRUPTED',
      message: /^whether Heroku Exec is on for my-app by now is not known: given up$/,
      hint: /heroku ps:restart -a my-app/,
    });
  });

  it('waits for five minutes at most', async () => {
    platform.looks = [[dyno('web.1', 1)], [dyno('web.1', 2, 'starting')]];
    const error = await failure();
    assert.equal(error.code, 'TIMEOUT');
    assert.match(error.message, /0 of 1 dynos of my-app came back within 300 s/);
    assert.equal(clock.waits.length, 151);
  });

  it('says what was done and what was not when the restart fails', async () => {
    platform.looks = [[dyno('web.1', 1)]];
    platform.failures = { restartDynos: new EpmuxError('HEROKU_UNAVAILABLE', 'no answer') };
    const error = await failure();
    assert.equal(error.code, 'HEROKU_UNAVAILABLE');
    assert.match(
      error.message,
      /Exec is on for my-app, but its dynos were not restarted: no answer/,
    );
    assert.match(error.hint, /heroku ps:restart -a my-app/);
  });

  it('restarts nothing when the feature can’t be switched on', async () => {
    platform.looks = [[dyno('web.1', 1)]];
    platform.failures = { enableExec: new EpmuxError('HEROKU_FORBIDDEN', 'no') };
    assert.equal((await failure()).code, 'HEROKU_FORBIDDEN');
    assert.ok(!platform.calls.includes('restartDynos'));
  });

  it('restarts nothing when it is given up before', async () => {
    platform.looks = [[dyno('web.1', 1)]];
    await assert.rejects(enable(AbortSignal.abort()), { code: 'INTERRUPTED' });
    assert.ok(!platform.calls.includes('restartDynos'));
  });
});
