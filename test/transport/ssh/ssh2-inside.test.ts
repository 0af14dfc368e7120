import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import ssh2, { type Client, type ClientChannel, type ParsedKey } from 'ssh2';
import { SshProcess } from '../../../src/transport/ssh/exec.ts';
import { signAtOnce } from '../../../src/transport/ssh/sign-at-once.ts';
import {
  cipherOf,
  decipheringOf,
  handlersOf,
  hasOpenLengths,
  loginOf,
  processRequestsOf,
  windowOf,
} from '../../../src/transport/ssh/ssh2-inside.ts';
import { isBetweenPackets } from '../../../src/transport/ssh/whole-packets.ts';

const HOST_KEY = generateKeyPairSync('ec', {
  namedCurve: 'prime256v1',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'sec1', format: 'pem' },
}).privateKey;

describe('the inside of ssh2, as it is installed', () => {
  let server: ssh2.Server;
  let client: Client;

  before(async () => {
    server = new ssh2.Server({ hostKeys: [HOST_KEY] }, (connection) => {
      connection.on('error', () => undefined);
      connection.on('authentication', (auth) => auth.accept());
      connection.on('session', (accept) => {
        accept().on('exec', (start) => void start());
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    client = new ssh2.Client();
    const ready = once(client, 'ready');
    client.connect({
      host: '127.0.0.1',
      port,
      username: 'somebody',
      algorithms: { cipher: ['aes128-gcm@openssh.com'] },
    });
    await ready;
  });
  after(() => {
    client.end();
    server.close();
  });

  it('has the handlers of messages that are replaced', () => {
    for (const name of ['SERVICE_ACCEPT', 'GLOBAL_REQUEST'] as const) {
      const inside = handlersOf(client, name);
      assert.equal(typeof inside?.handlers[name], 'function');
      assert.ok(inside?.protocol);
    }
  });

  it('has the cipher whose packets are laid out here', () => {
    const packet = cipherOf(client)?.allocPacket(20);
    assert.ok(packet);
    assert.equal(packet.readUInt32BE(), 1 + 20 + (packet[4] ?? 0));
  });

  it('has the decipher that tells where a packet ends', () => {
    const decipher = decipheringOf(client)?._decipher;
    assert.ok(decipher);
    assert.ok(hasOpenLengths(decipher));
    assert.ok(isBetweenPackets(decipher));
  });

  it('has the two ways to be let in', () => {
    assert.ok(loginOf(client));
  });

  it('has what is counted and asked of a channel', async () => {
    const channel = await new Promise<ClientChannel>((resolve, reject) => {
      client.exec('anything', (error, opened) => (error ? reject(error) : resolve(opened)));
    });
    assert.equal(windowOf(channel)?.incoming.window, 2 * 1024 * 1024);
    assert.equal(processRequestsOf(channel)?.outgoing.state, 'open');
    channel.close();
  });
});

describe('an inside of ssh2 that is otherwise', () => {
  const clients: object[] = [
    {},
    { _protocol: {} },
    { _protocol: { _handlers: {}, _cipher: {}, _decipher: {}, authNone: 1 } },
  ];
  const channels: object[] = [
    {},
    { incoming: { window: 1 }, outgoing: { id: 1 }, _client: { _protocol: {} } },
    { incoming: { window: 1 }, outgoing: { id: 1, state: 'open' }, _client: {} },
  ];

  it('is not taken for the one that is known', () => {
    for (const one of clients) {
      const client = one as Client;
      assert.deepEqual(
        [
          handlersOf(client, 'SERVICE_ACCEPT'),
          handlersOf(client, 'GLOBAL_REQUEST'),
          cipherOf(client),
          decipheringOf(client),
          loginOf(client),
        ],
        [undefined, undefined, undefined, undefined, undefined],
      );
    }
    for (const one of channels) {
      const channel = one as ClientChannel;
      assert.deepEqual([windowOf(channel), processRequestsOf(channel)], [undefined, undefined]);
    }
  });

  it('lets ssh2 ask its first question before it shows a key', () => {
    let asked = 0;
    const ask = (): void => {
      asked += 1;
    };
    const key = { type: 'ssh-rsa' } as ParsedKey;
    assert.equal(signAtOnce({} as Client, 'somebody', key, 'rsa-sha2-256', ask), false);
    assert.equal(asked, 1);
  });

  it('leaves a process’s terminal and signals to ssh2', () => {
    const asked: unknown[][] = [];
    const channel = Object.assign(new PassThrough(), {
      stderr: new PassThrough(),
      setWindow: (...sizes: number[]) => asked.push(sizes),
      signal: (name: string) => asked.push([name]),
    });
    const host = {
      backlogBytes: 0,
      cork: () => undefined,
      keep: () => undefined,
      forget: () => undefined,
      took: () => undefined,
    };
    const remote = new SshProcess(channel as unknown as ClientChannel, host, 'a process');
    remote.resize(132, 50);
    remote.signal('SIGTERM');
    assert.deepEqual(asked, [[50, 132, 0, 0], ['TERM']]);
  });
});
