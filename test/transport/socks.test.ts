import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createTransport } from '../../src/transport/create.ts';
import { parseSocksProxy } from '../../src/transport/socks-url.ts';
import { FarEnd } from '../support/far-end.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { own } from '../support/recording-pipe.ts';
import { SocksServer, type SocksServerOptions } from '../support/socks-server.ts';
import { until } from '../support/until.ts';

const never = new AbortController().signal;

describe('the way through a SOCKS proxy', () => {
  let far: FarEnd;
  let proxy: SocksServer | undefined;

  before(async () => {
    far = await FarEnd.start();
  });
  afterEach(async () => {
    await far.deserted();
    await until(() => (proxy?.connections ?? 0) === 0);
    proxy?.stop();
    proxy = undefined;
  });
  after(() => far.stop());

  const through = (via: string, host = '127.0.0.1', port = far.port, clock = systemClock) =>
    createTransport(
      { kind: 'connect', host, port },
      { agentPort: 1, via, env: {}, clock, logger: silentLogger },
    );
  const start = async (options: SocksServerOptions = {}): Promise<SocksServer> => {
    proxy = await SocksServer.start(options);
    return proxy;
  };
  const failure = async (via: string, host?: string, port?: number): Promise<EpmuxError> => {
    const carrier = await through(via, host, port).connect(never);
    const error: unknown = await carrier.openAgentPipe(never).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof EpmuxError);
    return error;
  };

  it('leaves the look-up of names to the proxy', async () => {
    const { url, asked } = await start();
    const carrier = await through(url, 'localhost').connect(never);
    const [pipe] = await Promise.all([carrier.openAgentPipe(never), far.next()]);
    assert.deepEqual(asked, [`localhost:${far.port}`]);
    pipe.close();
  });

  it('loses nothing that the far end says in the same breath as the proxy', async () => {
    const { url } = await start({ glued: true });
    const carrier = await through(url).connect(never);
    const opening = carrier.openAgentPipe(never);
    const socket = await far.next();
    socket.write('SSH-2.0-early');
    const pipe = await opening;
    const owner = own(pipe);
    socket.write(' and late');
    await owner.until(() => owner.text.endsWith('late'));
    assert.equal(owner.text, 'SSH-2.0-early and late');
    pipe.close();
  });

  it('says that the proxy refused user and password, without telling them', async () => {
    const { url } = await start({ credentials: 'user:right' });
    const error = await failure(url.replace('right', 'wr0ng-p4ss'));
    assert.equal(error.code, 'CONNECT_FAILED');
    assert.match(error.hint, /user and password/);
    assert.doesNotMatch(inspect(error, { depth: 10 }), /wr0ng-p4ss/);
  });

  it('never shows the password in what it is called', async () => {
    const transport = through('socks5://user:s3cret@127.0.0.1:1');
    const carrier = await transport.connect(never);
    const error = await failure('socks5://user:s3cret@127.0.0.1:1');
    assert.doesNotMatch(inspect([transport.target, carrier.label, error], { depth: 10 }), /s3cret/);
    assert.match(error.message, /^SOCKS proxy: 127\.0\.0\.1:1 refused/);
  });

  it('says that the far end refused', async () => {
    const { url } = await start();
    const error = await failure(url, '127.0.0.1', 1);
    assert.equal(error.code, 'CONNECT_FAILED');
    assert.match(error.message, /did not connect to 127\.0\.0\.1:1: .*refused/i);
  });

  it('fails at once where the proxy is none', async () => {
    const error = failure(`socks5://127.0.0.1:${far.port}`);
    (await far.next()).end('HTTP/1.1 400 Bad Request\r\n\r\n');
    assert.equal((await error).code, 'CONNECT_FAILED');
    const silent = failure(`socks5://127.0.0.1:${far.port}`);
    (await far.next()).end();
    assert.equal((await silent).code, 'CONNECT_FAILED');
  });

  it('gives up on a proxy that says nothing', async () => {
    const clock = new ManualClock();
    const server = await start({ silent: true });
    const carrier = await through(server.url, '127.0.0.1', far.port, clock).connect(never);
    const failed = assert.rejects(carrier.openAgentPipe(never), {
      code: 'CONNECT_FAILED',
      message: /did not answer within 10 s/,
    });
    await until(() => server.connections === 1);
    for (let i = 0; i < 4; i += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(5_000);
    }
    await failed;
  });
});

describe('the address of a SOCKS proxy', () => {
  it('may leave the port out and hold user and password', () => {
    assert.deepEqual(parseSocksProxy('socks5://proxy.example'), {
      host: 'proxy.example',
      port: 1080,
      user: '',
      password: '',
      label: '--via',
    });
    assert.deepEqual(parseSocksProxy('socks5h://me:p%40ss%3A@[::1]:9050/'), {
      host: '::1',
      port: 9050,
      user: 'me',
      password: 'p@ss:',
      label: '--via',
    });
  });

  it('is a wrong command line otherwise, and the text is not repeated', () => {
    for (const text of [
      '',
      'proxy:1080',
      'http://user:s3cret@proxy:1080',
      'socks5://',
      'socks5://user:s3cret@proxy:99999',
      'socks5://user:s3cret%zz@proxy',
      `socks5://user:${'s3cret'.repeat(50)}@proxy`,
      'socks5://proxy/path',
    ]) {
      assert.throws(
        () => parseSocksProxy(text),
        (error) => {
          assert.ok(error instanceof EpmuxError);
          assert.equal(error.code, 'USAGE');
          assert.doesNotMatch(inspect(error), /s3cret/);
          return true;
        },
      );
    }
  });
});
