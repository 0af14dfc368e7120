import assert from 'node:assert/strict';
import type { Reservation } from '../../src/heroku/answers.ts';
import { herokuTransport, tunnelAddress } from '../../src/heroku/exec-transport.ts';
import { type SshKeyPair, sshKeysOnce } from '../../src/heroku/keys.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { type Dialer, directDialer } from '../../src/transport/dial.ts';
import { socksDialer } from '../../src/transport/socks.ts';
import { parseSocksProxy } from '../../src/transport/socks-url.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { FarEnd } from '../support/far-end.ts';
import { own } from '../support/recording-pipe.ts';
import { SocksServer } from '../support/socks-server.ts';
import { startSshd, type TestSshd } from '../support/sshd.ts';
import { describeTransport } from '../transport/contract.ts';
import { never } from './support.ts';

const keys = sshKeysOnce();
const direct = directDialer(systemClock);

/** The exec manager before an sshd: what it answers may be changed. */
class FakeManager {
  readonly registered: string[] = [];
  changes: Partial<Reservation> = {};
  /** False: it promises to let the key in, and does not. */
  letsIn = true;
  readonly #sshd: TestSshd;

  constructor(sshd: TestSshd) {
    this.#sshd = sshd;
  }

  async register(dyno: string, publicKey: string): Promise<Reservation> {
    this.registered.push(`${dyno} ${publicKey}`);
    if (this.letsIn) this.#sshd.authorize(publicKey);
    const [, type, key] = this.#sshd.knownHostsLine.split(' ');
    return {
      tunnel_host: `${this.#sshd.host}:${this.#sshd.port}`,
      client_user: this.#sshd.user,
      proxy_public_key: `${type} ${key}`,
      ...this.changes,
    };
  }
}

function transportTo(
  manager: FakeManager,
  agentPort = 1,
  dial: Dialer = direct,
  pair: () => Promise<SshKeyPair> = keys,
): Transport {
  return herokuTransport({
    app: 'my-app',
    dyno: 'web.1',
    manager,
    keys: pair,
    dial,
    agentPort,
    clock: systemClock,
    logger: silentLogger,
  });
}

describe('the way into a dyno', () => {
  let sshd: TestSshd;
  let manager: FakeManager;

  before(async () => {
    sshd = await startSshd({ hostKeys: ['rsa'] });
  });
  beforeEach(() => {
    manager = new FakeManager(sshd);
  });
  after(() => sshd.stop());

  const refusal = async (transport: Transport): Promise<EpmuxError> => {
    const error = await transport.connect(never).then(
      () => assert.fail('it was let in'),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof EpmuxError);
    const { privateKey } = await keys();
    assert.ok(!`${error.stack}${error.hint}`.includes(privateKey.split('\n')[1] ?? '?'));
    return error;
  };

  it('is called by app and dyno', async () => {
    const transport = transportTo(manager);
    assert.equal(transport.target, 'heroku://my-app/web.1');
    const carrier = await transport.connect(never);
    assert.equal(carrier.label, 'heroku://my-app/web.1');
    carrier.close();
  });

  it('runs commands there, and reaches any port', async () => {
    const far = await FarEnd.start();
    const carrier = await transportTo(manager, far.port).connect(never);
    assert.ok(carrier.exec && carrier.dial);
    const remote = await carrier.exec({ command: 'echo in; exit 7' }, never);
    const owner = own(remote.io);
    await owner.called('closed');
    assert.deepEqual([owner.text, (await remote.exited).code], ['in\n', 7]);
    const [pipe, socket] = await Promise.all([carrier.dial(far.port, never), far.next()]);
    const peer = own(pipe);
    socket.end('a node');
    await peer.called('end');
    assert.equal(peer.text, 'a node');
    carrier.close();
    far.stop();
  });

  it('begins with what will be asked for first', async () => {
    const request = { command: 'exit 7' };
    let looks = 0;
    const carrier = await transportTo(manager).connect(never, () => {
      looks += 1;
      return request;
    });
    assert.equal(looks, 1);
    const remote = await carrier.exec?.(request, never);
    assert.equal((await remote?.exited)?.code, 7);
    carrier.close();
  });

  it('registers the same key anew for each connection', async () => {
    const transport = transportTo(manager);
    for (let i = 0; i < 2; i += 1) (await transport.connect(never)).close();
    const { publicKey } = await keys();
    assert.deepEqual(manager.registered, [`web.1 ${publicKey}`, `web.1 ${publicKey}`]);
  });

  it('leads through a SOCKS proxy where there is one', async () => {
    const proxy = await SocksServer.start();
    const dial = socksDialer(parseSocksProxy(proxy.url), direct, systemClock);
    const carrier = await transportTo(manager, 1, dial).connect(never);
    assert.ok(proxy.connections > 0);
    carrier.close();
    proxy.stop();
  });

  it('ends at a host key that the manager did not tell, before the key is shown', async () => {
    const before = sshd.log().length;
    manager.changes = { proxy_public_key: (await keys()).publicKey };
    const error = await refusal(transportTo(manager));
    assert.equal(error.code, 'HOST_KEY_MISMATCH');
    assert.match(error.message, /than Heroku’s exec manager told/);
    assert.doesNotMatch(sshd.log().slice(before), /Accepted/);
  });

  it('ends at a server that has no key of the told type', async () => {
    const other = await startSshd({ hostKeys: ['ed25519'] });
    manager.changes = { tunnel_host: `${other.host}:${other.port}` };
    assert.equal((await refusal(transportTo(manager))).code, 'HOST_KEY_MISMATCH');
    await other.stop();
  });

  it('ends where the key is not let in, with a hint about the dyno rather than key files', async () => {
    manager.letsIn = false;
    const stranger = sshKeysOnce();
    const error = await refusal(transportTo(manager, 1, direct, stranger));
    assert.equal(error.code, 'SSH_AUTH_REFUSED');
    assert.match(error.message, /the key just registered/);
    assert.match(error.hint, /web\.1 may have just restarted.*heroku ps -a my-app/);
  });

  it('ends at a port that is closed, with a hint about firewalls', async () => {
    manager.changes = { tunnel_host: '127.0.0.1:1' };
    const error = await refusal(transportTo(manager));
    assert.equal(error.code, 'CONNECT_FAILED');
    assert.match(error.message, /^web\.1 of my-app could not be reached: 127\.0\.0\.1:1 refused/);
    assert.match(error.hint, /firewall/);
  });

  it('ends with what the manager says', async () => {
    const error = new EpmuxError('HEROKU_AUTH_REFUSED', 'no');
    manager.register = () => Promise.reject(error);
    assert.equal(await refusal(transportTo(manager)), error);
  });
});

describe('the address of a tunnel host', () => {
  it('has port 80 unless it names another', () => {
    assert.deepEqual(tunnelAddress('a.example.com'), { host: 'a.example.com', port: 80 });
    assert.deepEqual(tunnelAddress('a.example.com:2222'), { host: 'a.example.com', port: 2222 });
    assert.deepEqual(tunnelAddress('[::1]:22'), { host: '::1', port: 22 });
    assert.deepEqual(tunnelAddress('[::1]'), { host: '::1', port: 80 });
  });

  it('is none in whatever else', () => {
    for (const text of ['', ':80', 'a:', 'a:0', 'a:65536', '::1', 'a:b', '[a']) {
      assert.throws(() => tunnelAddress(text), { code: 'HEROKU_ANSWER_INVALID' }, text);
    }
  });
});

describeTransport('Heroku Exec', async (agentPort) => {
  const sshd = await startSshd({ hostKeys: ['rsa'] });
  return {
    transport: transportTo(new FakeManager(sshd), agentPort),
    lossCode: 'PIPE_LOST',
    sever: () => sshd.resetConnections(),
    allQuiet: async () => {
      while (sshd.connections > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    },
    stop: () => sshd.stop(),
  };
});
