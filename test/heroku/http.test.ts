import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { readExtraCa } from '../../src/heroku/extra-ca.ts';
import { callJson } from '../../src/heroku/http.ts';
import { trustIn } from '../../src/heroku/trust.ts';
import { makeCertificate } from '../support/heroku/certificate.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { CallRig, KEY } from './call-support.ts';
import { never, ports, type ScriptedServer } from './support.ts';

describe('a call to Heroku', () => {
  let rig: CallRig;
  let server: ScriptedServer;
  const folder = tempFolder();

  before(async () => {
    rig = await CallRig.start();
    server = rig.server;
  });
  after(() => server.stop());

  it('gives the JSON of the answer, and sends headers and body as they are', async () => {
    server.answer({ json: { a: [1] } });
    assert.deepEqual(await callJson(rig.call({ method: 'PUT', json: { b: 2 } }), ports(), never), {
      a: [1],
    });
    const [asked] = server.asked;
    assert.equal(asked?.method, 'PUT');
    assert.equal(asked?.path, '/apps/my-app');
    assert.equal(asked?.body, '{"b":2}');
    assert.equal(asked?.headers['content-type'], 'application/json');
    assert.equal(asked?.headers.authorization, `Bearer ${KEY}`);
  });

  it('tells the way out of a refused key by where it is from: the variable wins over any login', async () => {
    server.answer({ status: 401, json: {} });
    assert.match((await rig.failure()).hint, /^run `heroku login` again/);
    const { hint } = await rig.failure({ keySource: 'HEROKU_API_KEY' });
    assert.match(hint, /unset it and run `heroku login`; then `epmux up`/);
  });

  it('tells a refusal of Heroku from what Heroku does not answer', async () => {
    server.answer({ status: 402, json: { id: 'delinquent', message: 'Pay.' } });
    assert.match((await rig.failure()).hint, /billing/);
    server.answer({ status: 422, json: { id: 'verification_required' } });
    assert.match((await rig.failure()).hint, /reason given/);
    server.answer({ status: 422, text: '<html>' });
    assert.match((await rig.failure()).hint, /something else than Heroku/);
  });

  it('takes an empty answer for none', async () => {
    server.answer({ status: 202, text: '' });
    assert.equal(await callJson(rig.call({ method: 'DELETE' }), ports(), never), undefined);
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
      const error = await rig.failure();
      assert.equal(error.code, code);
      assert.match(error.message, text);
      assert.match(error.message, /some_id: Some words\./);
      assert.equal(server.asked.length, 1);
    });
  }

  it('tells a key that may not from one that is not known', async () => {
    server.answer({ status: 403, text: '' });
    assert.equal((await rig.failure()).code, 'HEROKU_FORBIDDEN');
    server.answer({ status: 401, text: '' });
    assert.equal((await rig.failure()).code, 'HEROKU_AUTH_REFUSED');
  });

  it('that is answered with the key, control characters or pages of text shows none of it', async () => {
    server.answer({ status: 401, json: { message: `no ${KEY}\u001b[2J\r\n${'x'.repeat(9_000)}` } });
    const { message } = await rig.failure();
    assert.match(message, /no … \[2J x+…\)$/);
    assert.ok(message.length < 500);
    server.answer({ status: 401, text: `<html>${KEY}` });
    assert.match((await rig.failure()).message, /refuses the key of ~\/\.netrc$/);
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
      const failed = rig.failure({}, { ...ports(clock) });
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
      const asked = callJson(rig.call(), { ...ports(clock) }, abort.signal);
      await begun;
      abort.abort();
      await assert.rejects(asked, { code: 'INTERRUPTED' });
      assert.equal(clock.waiting, 0);
    }
    await assert.rejects(callJson(rig.call(), ports(), AbortSignal.abort()), {
      code: 'INTERRUPTED',
    });
  });

  it('is HEROKU_ANSWER_INVALID for what is no JSON or too much, and shows nothing of it', async () => {
    server.answer({ text: `{"HUSH": "${KEY}"` });
    const error = await rig.failure();
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
    assert.match((await rig.failure()).message, /more than 4 MB/);
  });

  it('names the reason why nobody answers', async () => {
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port } = free.address() as AddressInfo;
    free.close();
    const refused = await rig.failure({ url: new URL(`http://127.0.0.1:${port}/`) });
    assert.equal(refused.code, 'HEROKU_UNAVAILABLE');
    assert.match(refused.message, /refused the connection/);
    const unknown = await rig.failure({ url: new URL('http://epmux-no-such-host.invalid/') });
    assert.equal(unknown.code, 'HEROKU_UNAVAILABLE');
    assert.match(unknown.message, /epmux-no-such-host\.invalid could not be asked: .*(name|host)/);
  });

  it('names a certificate that nobody trusts, and the variable that helps', async () => {
    const tls = createTlsServer(makeCertificate(folder.path)).listen(0, '127.0.0.1');
    await once(tls, 'listening');
    const { port } = tls.address() as AddressInfo;
    const error = await rig.failure({ url: new URL(`https://127.0.0.1:${port}/`) });
    tls.close();
    assert.equal(error.code, 'HEROKU_UNAVAILABLE');
    assert.match(error.message, /certificate is signed by nobody/);
    assert.match(error.hint, /NODE_EXTRA_CA_CERTS/);
  });

  it('trusts who a certificate given besides speaks for, in questions and in changes', async () => {
    const { caFile, ...own } = makeCertificate(folder.path);
    const tls = createTlsServer(own, (_request, response) => response.end('{"a":1}'));
    tls.listen(0, '127.0.0.1');
    await once(tls, 'listening');
    const { port } = tls.address() as AddressInfo;
    const url = new URL(`https://127.0.0.1:${port}/`);
    const trust = trustIn(readExtraCa(caFile));
    for (const method of ['GET', 'GET', 'PATCH'] as const) {
      const call = rig.call({ url, method });
      assert.deepEqual(await callJson(call, { ...ports(), trust }, never), { a: 1 });
    }
    const stranger = await rig.failure({ url });
    assert.match(
      stranger.message,
      /certificate is signed by nobody/,
      'it is for those calls alone',
    );
    tls.closeAllConnections();
    tls.close();
  });

  it('writes no key into the log', async () => {
    const logger = new RecordingLogger();
    server.answer({ status: 503, json: {} }, { json: {} });
    await callJson(rig.call(), { ...ports(), logger }, never);
    assert.ok(logger.has('"status":503'));
    assert.ok(!logger.has(KEY));
  });
});
