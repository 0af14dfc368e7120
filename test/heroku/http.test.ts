import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { callJson, type HttpCall } from '../../src/heroku/http.ts';
import { retryAfterMs, retryWait } from '../../src/heroku/retry.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { makeCertificate } from '../support/heroku/certificate.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { HurriedClock, never, ports, ScriptedServer } from './support.ts';

const KEY = 'HRKU-very-secret';

describe('a call to Heroku', () => {
  let server: ScriptedServer;
  const folder = tempFolder();

  before(async () => {
    server = await ScriptedServer.start();
  });
  after(() => server.stop());

  const call = (changes: Partial<HttpCall> = {}): HttpCall => ({
    method: 'GET',
    url: new URL(`${server.url}/apps/my-app`),
    headers: { authorization: `Bearer ${KEY}` },
    limitMs: 10_000,
    repeatable: true,
    what: 'the app my-app',
    keySource: '~/.netrc',
    secrets: [KEY],
    ...changes,
  });

  /** The error, which never holds the key. */
  const failure = async (changes: Partial<HttpCall> = {}, with_ = ports()): Promise<EpmuxError> => {
    const error = await callJson(call(changes), with_, never).then(
      () => assert.fail('it did not fail'),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof EpmuxError);
    const told = `${error.message} ${error.hint} ${error.stack} ${JSON.stringify(error.cause)}`;
    assert.doesNotMatch(told, new RegExp(KEY));
    return error;
  };

  it('gives the JSON of the answer, and sends headers and body as they are', async () => {
    server.answer({ json: { a: [1] } });
    assert.deepEqual(await callJson(call({ method: 'PUT', json: { b: 2 } }), ports(), never), {
      a: [1],
    });
    const [asked] = server.asked;
    assert.equal(asked?.method, 'PUT');
    assert.equal(asked?.path, '/apps/my-app');
    assert.equal(asked?.body, '{"b":2}');
    assert.equal(asked?.headers['content-type'], 'application/json');
    assert.equal(asked?.headers.authorization, `Bearer ${KEY}`);
  });

  it('takes an empty answer for none', async () => {
    server.answer({ status: 202, text: '' });
    assert.equal(await callJson(call({ method: 'DELETE' }), ports(), never), undefined);
    assert.equal(server.asked[0]?.headers['content-type'], undefined);
  });

  const statuses: [status: number, code: string, text: RegExp][] = [
    [401, 'HEROKU_AUTH_REFUSED', /refuses the key of ~\/\.netrc \(some_id: Some words\.\)/],
    [403, 'HEROKU_FORBIDDEN', /does not let the key of ~\/\.netrc at the app my-app/],
    [404, 'APP_NOT_FOUND', /does not find the app my-app/],
    [422, 'HEROKU_ANSWER_INVALID', /answered 422/],
    [302, 'HEROKU_ANSWER_INVALID', /answered 302/],
  ];
  for (const [status, code, text] of statuses) {
    it(`answered with ${status} is ${code}, in Heroku's words, and not tried again`, async () => {
      server.answer({
        status,
        headers: { location: 'http://127.0.0.1:1/' },
        json: { id: 'some_id', message: 'Some words.' },
      });
      const error = await failure();
      assert.equal(error.code, code);
      assert.match(error.message, text);
      assert.match(error.message, /some_id: Some words\./);
      assert.equal(server.asked.length, 1);
    });
  }

  it('tells a key that may not from one that is not known', async () => {
    server.answer({ status: 403, text: '' });
    assert.equal((await failure()).code, 'HEROKU_FORBIDDEN');
    server.answer({ status: 401, text: '' });
    assert.equal((await failure()).code, 'HEROKU_AUTH_REFUSED');
  });

  it('that is answered with the key, control characters or pages of text shows none of it', async () => {
    server.answer({ status: 401, json: { message: `no ${KEY}\u001b[2J\r\n${'x'.repeat(9_000)}` } });
    const { message } = await failure();
    assert.match(message, /no … \[2J x+…\)$/);
    assert.ok(message.length < 500);
    server.answer({ status: 401, text: `<html>${KEY}` });
    assert.match((await failure()).message, /refuses the key of ~\/\.netrc$/);
  });

  describe('that fails', () => {
    const broken = { status: 503, json: { id: 'maintenance', message: 'Soon.' } };
    const fine = { json: 'fine' };

    it('thrice is tried again after random waits, twice as long each', async () => {
      server.answer(broken, broken, broken, fine);
      const clock = new HurriedClock();
      assert.equal(
        await callJson(
          call(),
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
      const error = await failure();
      assert.equal(error.code, 'HEROKU_UNAVAILABLE');
      assert.match(error.message, /answered 503 .*\(maintenance: Soon\.\)/);
      assert.equal(server.asked.length, 4);
    });

    it('is not tried again when it changes production', async () => {
      server.answer(broken);
      await failure({ method: 'DELETE', repeatable: false });
      assert.equal(server.asked.length, 1);
    });

    it('by a broken connection is tried again', async () => {
      server.answer((request) => request.socket.resetAndDestroy(), fine);
      assert.equal(await callJson(call(), ports(), never), 'fine');
      server.answer((request) => request.socket.resetAndDestroy());
      const error = await failure();
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
      assert.equal(await callJson(call(), ports(), never), 'fine');
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
          call(),
          ports(clock, () => 0.5),
          never,
        ),
        'fine',
      );
      assert.deepEqual(clock.waits, [7_000, 500]);
    });

    it('is HEROKU_RATE_LIMITED when it would have to wait for more than a minute', async () => {
      server.answer(limited('61'));
      const error = await failure();
      assert.equal(error.code, 'HEROKU_RATE_LIMITED');
      assert.match(error.message, /Retry-After: 61.*rate_limit: Slow down\./);
      assert.equal(server.asked.length, 1);
    });
  });

  it('that is not answered in time is over at its limit, and not tried again', async () => {
    const clock = new ManualClock();
    const answers: [what: string, answer: Parameters<ScriptedServer['answer']>[0]][] = [
      ['nothing', () => {}],
      ['half', (_request, response) => void response.writeHead(200).write('"half')],
    ];
    for (const [what, answer] of answers) {
      const begun = new Promise<void>((resolve) => {
        server.answer((request, response) => {
          if (typeof answer === 'function') answer(request, response);
          setImmediate(resolve);
        });
      });
      const failed = failure({}, { ...ports(clock) });
      await begun;
      clock.advance(9_999);
      assert.equal(clock.waiting, 1, what);
      clock.advance(1);
      const error = await failed;
      assert.equal(error.code, 'HEROKU_UNAVAILABLE');
      assert.match(error.message, /did not answer within 10 s/);
      assert.equal(clock.waiting, 0);
      assert.equal(server.asked.length, 1);
    }
  });

  it('is given up when told to, in a call and in a wait', async () => {
    for (const answer of [() => {}, { status: 503, json: {} }]) {
      const clock = new ManualClock();
      const abort = new AbortController();
      const begun = new Promise<void>((resolve) => {
        server.answer((_request, response) => {
          if (typeof answer === 'function') resolve();
          else response.writeHead(503).end(() => resolve());
        });
      });
      const asked = callJson(call(), { ...ports(clock) }, abort.signal);
      await begun;
      abort.abort();
      await assert.rejects(asked, { code: 'INTERRUPTED' });
      assert.equal(clock.waiting, 0);
    }
    await assert.rejects(callJson(call(), ports(), AbortSignal.abort()), { code: 'INTERRUPTED' });
  });

  it('is HEROKU_ANSWER_INVALID for what is no JSON or too much, and shows nothing of it', async () => {
    server.answer({ text: `{"HUSH": "${KEY}"` });
    const error = await failure();
    assert.equal(error.code, 'HEROKU_ANSWER_INVALID');
    assert.equal(error.cause, undefined);
    server.answer((_request, response) => {
      response.on('error', () => {});
      const more = (): void => {
        while (response.write(Buffer.alloc(65_536, 'x')));
      };
      response.on('drain', more);
      more();
    });
    assert.match((await failure()).message, /more than 4 MB/);
  });

  it('names the reason why nobody answers', async () => {
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port } = free.address() as AddressInfo;
    free.close();
    const refused = await failure({ url: new URL(`http://127.0.0.1:${port}/`) });
    assert.equal(refused.code, 'HEROKU_UNAVAILABLE');
    assert.match(refused.message, /refused the connection/);
    const unknown = await failure({ url: new URL('http://epmux-no-such-host.invalid/') });
    assert.equal(unknown.code, 'HEROKU_UNAVAILABLE');
    assert.match(unknown.message, /epmux-no-such-host\.invalid could not be asked: .*(name|host)/);
  });

  it('names a certificate that nobody trusts, and the variable that helps', async () => {
    const tls = createTlsServer(makeCertificate(folder.path)).listen(0, '127.0.0.1');
    await once(tls, 'listening');
    const { port } = tls.address() as AddressInfo;
    const error = await failure({ url: new URL(`https://127.0.0.1:${port}/`) });
    tls.close();
    assert.equal(error.code, 'HEROKU_UNAVAILABLE');
    assert.match(error.message, /certificate is signed by nobody/);
    assert.match(error.hint, /NODE_EXTRA_CA_CERTS/);
  });

  it('writes no key into the log', async () => {
    const logger = new RecordingLogger();
    server.answer({ status: 503, json: {} }, { json: {} });
    await callJson(call(), { ...ports(), logger }, never);
    assert.ok(logger.has('"status":503'));
    assert.ok(!logger.has(KEY));
  });
});

describe('the wait before another try', () => {
  const clock = { ...ports().clock, wallNow: () => Date.parse('2030-01-01T00:00:00Z') };
  const wait = (status: number | undefined, attempt = 1, retryAfter: string | null = null) =>
    retryWait({ status, retryAfter, isLate: false }, attempt, {
      clock: clock as HurriedClock,
      random: () => 0.999,
    });

  it('is spread over all of its span', () => {
    assert.deepEqual(
      [1, 2, 3, 4].map((n) => wait(502, n)),
      [499.5, 999, 1_998, undefined],
    );
    const early = { clock: clock as HurriedClock, random: () => 0 };
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
