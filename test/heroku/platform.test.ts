import assert from 'node:assert/strict';
import { ANSWER_BOUNDS } from '../../src/heroku/answer-bounds.ts';
import type { Credentials } from '../../src/heroku/credentials.ts';
import { type Platform, platformApi } from '../../src/heroku/platform.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { listPart } from '../support/heroku/list-part.ts';
import { fixedKey, never, ports, ScriptedServer } from './support.ts';

const APP = 'my-app';
const info = {
  id: '1',
  name: APP,
  generation: 'cedar',
  space: null,
  build_stack: { name: 'heroku-24' },
};

describe('the platform API', () => {
  let server: ScriptedServer;

  before(async () => {
    server = await ScriptedServer.start();
  });
  after(() => server.stop());

  const api = (credentials: Credentials = fixedKey('KEY'), app = APP): Platform =>
    platformApi({
      app,
      settings: { apiUrl: server.url, headers: { 'x-own': 'header', accept: 'no' } },
      credentials,
      http: ports(),
    });

  it('is asked as its version 3, with the key and headers of one’s own', async () => {
    server.answer({ json: [] });
    await api().dynos(never);
    const { headers = {}, ...asked } = server.asked[0] ?? {};
    assert.deepEqual(asked, { method: 'GET', path: '/apps/my-app/dynos', body: '' });
    assert.equal(headers['accept'], 'application/vnd.heroku+json; version=3');
    assert.equal(headers['authorization'], 'Bearer KEY');
    assert.equal(headers['x-own'], 'header');
  });

  it('is asked for no other path, whatever the app is called', async () => {
    server.answer({ status: 404, json: {} });
    await assert.rejects(api(fixedKey('KEY'), '../a/b?c#d').dynos(never), {
      code: 'APP_NOT_FOUND',
    });
    assert.equal(server.asked[0]?.path, '/apps/..%2Fa%2Fb%3Fc%23d/dynos');
  });

  it('tells generation, space and stack of an app', async () => {
    const answers: [json: unknown, expected: unknown][] = [
      [info, { name: APP, generation: 'cedar', space: undefined, stack: 'heroku-24' }],
      [
        { ...info, generation: 'fir' },
        { name: APP, generation: 'fir', space: undefined, stack: 'heroku-24' },
      ],
      [
        { ...info, generation: { name: 'fir' } },
        { name: APP, generation: 'fir', space: undefined, stack: 'heroku-24' },
      ],
      [
        { id: '1', name: APP },
        { name: APP, generation: 'cedar', space: undefined, stack: undefined },
      ],
      [
        { ...info, space: { id: '2', name: 's', shield: true }, build_stack: null },
        { name: APP, generation: 'cedar', space: { name: 's', shield: true }, stack: undefined },
      ],
    ];
    for (const [json, expected] of answers) {
      server.answer({ json });
      assert.deepEqual(await api().info(never), expected);
    }
    assert.equal(server.asked[0]?.headers.accept, 'application/vnd.heroku+json; version=3.sdk');
  });

  it('tells dynos, config vars, the feature and the buildpacks', async () => {
    const dyno = { id: '1', name: 'web.1', type: 'web', state: 'up' };
    server.answer(
      { json: [{ ...dyno, command: 'more', release: {} }] },
      { json: { COOKIE: 'c' } },
      { json: { enabled: true, name: 'runtime-heroku-exec' } },
      { json: [{ ordinal: 0, buildpack: { url: 'u', name: 'n' } }, { buildpack: {} }] },
    );
    assert.deepEqual(await api().dynos(never), [dyno]);
    assert.deepEqual(await api().configVars(never), { COOKIE: 'c' });
    assert.equal(await api().execEnabled(never), true);
    assert.deepEqual(await api().buildpacks(never), ['u']);
    assert.deepEqual(
      server.asked.map(({ path }) => path),
      ['dynos', 'config-vars', 'features/runtime-heroku-exec', 'buildpack-installations'].map(
        (path) => `/apps/my-app/${path}`,
      ),
    );
  });

  describe('that gives a list in parts', () => {
    const serve = (count: number): void => {
      const dynos = Array.from({ length: count }, (_, index) => {
        const id = String(index).padStart(6, '0');
        return { id, name: `web.${index}`, type: 'web', state: 'up' };
      });
      server.answer(({ headers }, response) => {
        const part = listPart(dynos, headers.range);
        response.writeHead(part.status, part.headers).end(JSON.stringify(part.body));
      });
    };
    const ids = async (): Promise<Set<string>> =>
      new Set((await api().dynos(never)).map(({ id }) => id));

    it('tells all dynos, by as few questions as there may be', async () => {
      for (const [count, questions] of [
        [0, 1],
        [250, 1],
        [1_000, 1],
        [2_500, 3],
        [10_000, 10],
      ] as const) {
        serve(count);
        assert.equal((await ids()).size, count);
        assert.equal(server.asked.length, questions, `${count} dynos`);
      }
    });

    it('is asked for no more than ten parts', async () => {
      serve(10_001);
      await assert.rejects(ids(), { code: 'HEROKU_ANSWER_INVALID', message: /10 parts/ });
      assert.equal(server.asked.length, 10);
    });

    it('tells nothing where one of them fails, or is no such part', async () => {
      const first = { status: 206, headers: { 'next-range': ']x..' }, json: [] };
      server.answer(first, { status: 403, json: {} });
      await assert.rejects(ids(), { code: 'HEROKU_FORBIDDEN' });
      assert.equal(server.asked[1]?.headers.range, ']x..');
      server.answer(first, { json: {} });
      await assert.rejects(ids(), { code: 'HEROKU_ANSWER_INVALID' });
    });
  });

  it('enables the feature and restarts dynos, each by one call that is never repeated', async () => {
    server.answer({ json: {} }, { status: 202, json: {} }, { status: 503, json: {} });
    await api().enableExec(never);
    await api().restartDynos(never);
    assert.deepEqual(
      server.asked.map(({ method, path, body }) => [method, path, body]),
      [
        ['PATCH', '/apps/my-app/features/runtime-heroku-exec', '{"enabled":true}'],
        ['DELETE', '/apps/my-app/dynos', ''],
      ],
    );
    await assert.rejects(api().enableExec(never), { code: 'HEROKU_UNAVAILABLE' });
    await assert.rejects(api().restartDynos(never), { code: 'HEROKU_UNAVAILABLE' });
    assert.equal(server.asked.length, 4);
  });

  it('is asked again with a new key where the old one was refused', async () => {
    const keys = ['old', 'new'].map((key) => ({ key, source: '~/.netrc' }));
    const credentials: Credentials = {
      current: async () => keys[0] ?? assert.fail(),
      renewed: async (refused) => keys[keys.indexOf(refused) + 1],
    };
    server.answer((request, response) => {
      const status = request.headers.authorization === 'Bearer new' ? 200 : 401;
      response.writeHead(status).end('[]');
    });
    assert.deepEqual(await api(credentials).dynos(never), []);
    assert.equal(server.asked.length, 2);
  });

  const invalid: [
    what: string,
    ask: (platform: Platform) => Promise<unknown>,
    json: unknown,
    place: RegExp,
  ][] = [
    ['dynos that are no list', (p) => p.dynos(never), { secret: 'secret' }, /the whole/],
    [
      'a dyno without a state',
      (p) => p.dynos(never),
      [{ id: '1', name: 'secret', type: 'web' }],
      /0\.state/,
    ],
    ['an app that is a list', (p) => p.info(never), ['secret'], /the whole|name|id/],
    ['a config var that is a number', (p) => p.configVars(never), { A: 1 }, /A is no string/],
    [
      'a config var that is too long',
      (p) => p.configVars(never),
      { A: 'x'.repeat(ANSWER_BOUNDS.text + 1) },
      /A is no/,
    ],
    [
      'too many config vars',
      (p) => p.configVars(never),
      Object.fromEntries(
        Array.from({ length: ANSWER_BOUNDS.items + 1 }, (_, at) => [`V${at}`, '']),
      ),
      /the whole/,
    ],
    [
      'a feature that is neither on nor off',
      (p) => p.execEnabled(never),
      { enabled: 'secret' },
      /enabled/,
    ],
    ['nothing', (p) => p.dynos(never), undefined, /the whole/],
  ];
  for (const [what, ask, json, place] of invalid) {
    it(`answers in vain with ${what}: the error names the place, not the content`, async () => {
      server.answer(json === undefined ? { text: '' } : { json });
      await assert.rejects(ask(api()), (error) => {
        assert.ok(error instanceof EpmuxError);
        assert.equal(error.code, 'HEROKU_ANSWER_INVALID');
        assert.match(error.message, place);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    });
  }
});
