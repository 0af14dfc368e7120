import assert from 'node:assert/strict';
import { callJson } from '../../src/heroku/http.ts';
import { retryAfterMs, retryWait, sparedMs } from '../../src/heroku/retry.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { CallRig } from './call-support.ts';
import { HurriedClock, never, ports, type ScriptedServer } from './support.ts';

describe('a call to Heroku', () => {
  let rig: CallRig;
  let server: ScriptedServer;

  before(async () => {
    rig = await CallRig.start();
    server = rig.server;
  });
  after(() => server.stop());

  describe('that fails', () => {
    const broken = { status: 503, json: { id: 'maintenance', message: 'Soon.' } };
    const fine = { json: 'fine' };

    it('thrice is tried again after random waits, twice as long each', async () => {
      server.answer(broken, broken, broken, fine);
      const clock = new HurriedClock();
      assert.equal(
        await callJson(
          rig.call(),
          ports(clock, () => 0.5),
          never,
        ),
        'fine',
      );
      assert.deepEqual(clock.waits, [250, 500, 1_000]);
      assert.equal(server.asked.length, 4);
    });

    it('for ever is HEROKU_UNAVAILABLE after four tries', async () => {
      server.answer(broken);
      const error = await rig.failure();
      assert.equal(error.code, 'HEROKU_UNAVAILABLE');
      assert.match(error.message, /answered 503 .*\(maintenance: Soon\.\)/);
      assert.equal(server.asked.length, 4);
    });

    it('is not tried again when it changes production', async () => {
      server.answer(broken);
      await rig.failure({ method: 'DELETE', repeatable: false });
      assert.equal(server.asked.length, 1);
    });

    it('by a broken connection is tried again', async () => {
      server.answer((request) => request.socket.resetAndDestroy(), fine);
      assert.equal(await callJson(rig.call(), ports(), never), 'fine');
      server.answer((request) => request.socket.resetAndDestroy());
      const error = await rig.failure();
      assert.equal(error.code, 'HEROKU_UNAVAILABLE');
      assert.match(error.message, /broke the connection/);
      assert.equal(server.asked.length, 4);
    });

    it('in the middle of the answer is tried again', async () => {
      server.answer((_request, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('"half');
        setImmediate(() => response.destroy());
      }, fine);
      assert.equal(await callJson(rig.call(), ports(), never), 'fine');
    });
  });

  describe('that was one too many', () => {
    const limited = (after?: string) => ({
      status: 429,
      headers: after === undefined ? {} : { 'retry-after': after },
      json: { id: 'rate_limit', message: 'Slow down.' },
    });

    it('is tried again when the server says, or after a random wait', async () => {
      server.answer(limited('7'), limited(), { json: 'fine' });
      const clock = new HurriedClock();
      assert.equal(
        await callJson(
          rig.call(),
          ports(clock, () => 0.5),
          never,
        ),
        'fine',
      );
      assert.deepEqual(clock.waits, [7_000, 500]);
    });

    it('is HEROKU_RATE_LIMITED when it would have to wait for more than a minute', async () => {
      server.answer(limited('61'));
      const error = await rig.failure();
      assert.equal(error.code, 'HEROKU_RATE_LIMITED');
      assert.match(error.message, /Retry-After: 61.*rate_limit: Slow down\./);
      assert.equal(error.details?.['retryAfterMs'], '61000');
      assert.equal(server.asked.length, 1);
    });

    it('is HEROKU_RATE_LIMITED at once when it would have to wait for longer than its caller', async () => {
      const patient = (clock: HurriedClock) => ({ ...ports(clock), patienceMs: 10_000 });
      server.answer(limited('11'));
      const clock = new HurriedClock();
      assert.equal((await rig.failure({}, patient(clock))).code, 'HEROKU_RATE_LIMITED');
      assert.deepEqual(clock.waits, []);
      server.answer(limited('6'));
      const other = new HurriedClock();
      assert.equal((await rig.failure({}, patient(other))).code, 'HEROKU_RATE_LIMITED');
      assert.deepEqual(other.waits, [6_000], 'all waits count together');
    });
  });
});

describe('the wait before another try', () => {
  const clock = { ...ports().clock, wallNow: () => Date.parse('2030-01-01T00:00:00Z') };
  const wait = (status: number | undefined, attempt = 1, retryAfter: string | null = null) =>
    retryWait({ status, retryAfter, isLate: false }, attempt, {
      clock: clock as HurriedClock,
      random: () => 0.999,
      leftMs: 60_000,
    });

  it('is spread over all of its span', () => {
    assert.deepEqual(
      [1, 2, 3, 4].map((n) => wait(502, n)),
      [499.5, 999, 1_998, undefined],
    );
    const early = { clock: clock as HurriedClock, random: () => 0, leftMs: 60_000 };
    assert.equal(retryWait({ status: 502, retryAfter: null, isLate: false }, 3, early), 0);
  });

  it('is there for 429, 5xx and no answer alone', () => {
    for (const status of [429, 500, 503, 599, undefined]) assert.notEqual(wait(status), undefined);
    for (const status of [301, 400, 401, 403, 404, 422]) assert.equal(wait(status), undefined);
  });

  it('is what Retry-After says, as seconds or as a date', () => {
    assert.equal(wait(429, 1, '60'), 60_000);
    assert.equal(wait(429, 1, 'Tue, 01 Jan 2030 00:00:20 GMT'), 20_000);
    assert.equal(wait(429, 1, 'Mon, 31 Dec 2029 00:00:00 GMT'), 0);
    assert.equal(wait(429, 1, 'Tue, 01 Jan 2030 00:01:01 GMT'), undefined);
    assert.equal(wait(429, 1, 'soon'), 499.5);
    assert.equal(retryAfterMs(null, 0), undefined);
  });
});

describe('the peace that Heroku is left in', () => {
  const limited = (retryAfterMs?: string) =>
    new EpmuxError('HEROKU_RATE_LIMITED', 'x', {
      details: retryAfterMs === undefined ? {} : { retryAfterMs },
    });

  it('is a minute, or what it said where that is longer, up to an hour', () => {
    assert.equal(sparedMs(limited()), 60_000);
    assert.equal(sparedMs(limited('7000')), 60_000);
    assert.equal(sparedMs(limited('120000')), 120_000);
    assert.equal(sparedMs(limited('1e12')), 3_600_000);
  });

  it('follows from no other error', () => {
    assert.equal(sparedMs(new EpmuxError('HEROKU_UNAVAILABLE', 'x')), undefined);
  });
});
