import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HerokuQuestions } from '../../src/cli/early.ts';
import { type Ahead, askHerokuAhead, beginToAsk } from '../../src/cli/way/ahead.ts';

const HEROKU = { kind: 'heroku', app: 'my-app', dynos: [] } as const;

describe('what a command asks Heroku while the daemon starts', function () {
  this.timeout(30_000);
  let heroku: Server;
  let answers: Record<string, unknown>;
  let asked: string[];
  let interrupt: AbortController;

  const answer: RequestListener = ({ url = '' }, response) => {
    asked.push(url);
    const known = Object.hasOwn(answers, url);
    response.writeHead(known ? 200 : 404).end(JSON.stringify(known ? answers[url] : {}));
  };
  beforeEach(async () => {
    heroku = createServer(answer).listen(0, '127.0.0.1');
    await once(heroku, 'listening');
    interrupt = new AbortController();
    asked = [];
    answers = {
      '/apps/my-app': { id: '1', name: 'my-app' },
      '/apps/my-app/features/runtime-heroku-exec': { enabled: true },
      '/apps/my-app/config-vars': { SECRET: 's' },
      '/apps/my-app/dynos': [{ id: '2', name: 'web.1', type: 'web', state: 'up' }],
      '/api/v2/web.1': {
        tunnel_host: 'a.example.com',
        client_user: 'u',
        proxy_public_key: 'ssh-rsa AAAA',
      },
    };
  });
  afterEach(() => {
    heroku.closeAllConnections();
    heroku.close();
  });

  const surroundings = () => {
    const url = `http://127.0.0.1:${(heroku.address() as AddressInfo).port}`;
    const env = { HEROKU_API_KEY: 'k', HEROKU_API_URL: url, HEROKU_EXEC_URL: url };
    return { env, interrupted: interrupt.signal };
  };
  const ask = (herokuQuestions?: HerokuQuestions): Ahead => {
    const io = surroundings();
    const ahead = askHerokuAhead({ way: HEROKU }, { ...io, herokuQuestions });
    return ahead ?? assert.fail('it asks nothing');
  };

  it('is told', async () => {
    const told = await ask().answers();
    assert.deepEqual(told?.facts.configVars, { SECRET: 's' });
    assert.deepEqual(told?.reservations['web.1'], answers['/api/v2/web.1']);
  });

  it('is not asked again where it was asked before the command was read', async () => {
    const early = beginToAsk('my-app', undefined, surroundings());
    await Promise.all([early.first.facts, early.first.dynos]);
    const told = await ask(early).answers();
    assert.deepEqual(told?.reservations['web.1'], answers['/api/v2/web.1']);
    assert.deepEqual(asked.toSorted(), Object.keys(answers).toSorted());
  });

  it('is asked of the app that the command names, whatever was asked before', async () => {
    const early = beginToAsk('another', undefined, surroundings());
    const told = await ask(early).answers();
    assert.equal(told?.facts.app.name, 'my-app');
    assert.deepEqual(told.reservations['web.1'], answers['/api/v2/web.1']);
    assert.equal(early.signal.aborted, true);
  });

  it('is asked by the proxy that is to be taken, and by no other way', () => {
    const io = surroundings();
    const early = beginToAsk('my-app', undefined, io);
    const spec = { way: HEROKU, via: 'socks5://127.0.0.1:1' };
    const ahead = askHerokuAhead(spec, { ...io, herokuQuestions: early });
    assert.equal(early.signal.aborted, true);
    ahead?.drop();
  });

  it('is left to the daemon where Heroku refuses', async () => {
    answers = {};
    assert.equal(await ask().answers(), undefined);
  });

  it('is left to the daemon where it does not come in time', async () => {
    heroku.removeAllListeners('request').on('request', () => undefined);
    assert.equal(await ask().answers(), undefined);
  });

  it('is left to the daemon where it is more than a line of the control socket may bear', async () => {
    answers['/apps/my-app/config-vars'] = { A: 'a'.repeat(262_144) };
    assert.equal(await ask().answers(), undefined);
  });

  it('ends with the command, and when nobody needs it', async () => {
    heroku.removeAllListeners('request').on('request', () => undefined);
    for (const end of [(_: Ahead) => interrupt.abort(), (ahead: Ahead) => ahead.drop()]) {
      interrupt = new AbortController();
      const ahead = ask();
      const [request] = await once(heroku, 'request');
      end(ahead);
      await once(request.socket, 'close');
      assert.equal(await ahead.answers(), undefined);
    }
  });

  it('is nothing on other ways', () => {
    const way = { kind: 'command', command: 'x' } as const;
    const io = { env: {}, interrupted: interrupt.signal };
    assert.equal(askHerokuAhead({ way }, io), undefined);
  });

  it('is refused where the environment names no URL', () => {
    const io = { env: { HEROKU_API_URL: 'x' }, interrupted: interrupt.signal };
    assert.throws(() => askHerokuAhead({ way: HEROKU }, io), { code: 'CONFIG_INVALID' });
  });
});
