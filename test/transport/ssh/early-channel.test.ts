import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { makeSshKeys, type SshKeyPair } from '../../../src/heroku/keys.ts';
import { type Clock, systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { BytePipe } from '../../../src/runtime/pipe.ts';
import { directDialer } from '../../../src/transport/dial.ts';
import { connectSsh } from '../../../src/transport/ssh/connect.ts';
import type { SshConnection } from '../../../src/transport/ssh/connection.ts';
import type { ChannelRequest } from '../../../src/transport/ssh/early-channel.ts';
import { registeredKey } from '../../../src/transport/ssh/identities.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { startSshd, type TestSshd } from '../../support/sshd.ts';
import { until } from '../../support/until.ts';
import { SecretRelay } from './secret-relay.ts';

const never = new AbortController().signal;
/** A request to authenticate by an RSA key alone is more. */
const SIGNED_BYTES = 600;

describe('a channel that is asked for along with the way in', function () {
  this.timeout(30_000);
  let sshd: TestSshd;
  let keys: SshKeyPair;
  let greeter: Server;
  let greeterPort: number;
  let greeted: number;
  let relay: SecretRelay;
  let connections: SshConnection[];

  before(async () => {
    sshd = await startSshd({ hostKeys: ['rsa'] });
    keys = await makeSshKeys();
    sshd.authorize(keys.publicKey);
    greeter = createServer((socket) => {
      greeted += 1;
      socket.on('error', () => undefined).write('!');
    }).listen(0, '127.0.0.1');
    await once(greeter, 'listening');
    greeterPort = (greeter.address() as AddressInfo).port;
  });
  after(() => {
    greeter.close();
    return sshd.stop();
  });
  beforeEach(async () => {
    connections = [];
    greeted = 0;
    relay = await SecretRelay.start(sshd);
  });
  const closeAll = (): void => {
    for (const connection of connections) connection.close();
  };
  afterEach(() => {
    closeAll();
    relay.stop();
  });

  const connect = async (
    port: number,
    first?: () => ChannelRequest | undefined,
    clock: Clock = systemClock,
  ): Promise<SshConnection> => {
    const options = {
      address: { host: '127.0.0.1', port },
      user: sshd.user,
      dial: directDialer(systemClock),
      hostKeys: async () => ({
        algorithms: ['rsa-sha2-512' as const],
        verify: async () => undefined,
      }),
      identities: registeredKey(keys.privateKey, 'the key'),
      clock,
      logger: silentLogger,
    };
    const connection = await connectSsh(options, never, first);
    connections.push(connection);
    return connection;
  };
  /** What a connection says in secret before it hears that it is let in. */
  const secretBytes = async (atLeast: number, first?: () => ChannelRequest): Promise<number> => {
    const before = relay.connections;
    const connecting = connect(relay.port, first);
    await until(() => relay.connections > before && relay.secretBytesFromClient > atLeast);
    const bytes = relay.secretBytesFromClient;
    relay.release();
    await connecting;
    return bytes;
  };

  it('is on its way to the server before it has let the user in, and is the one that is used', async () => {
    const plain = await secretBytes(SIGNED_BYTES);
    await secretBytes(plain, () => toPort(greeterPort));
    const pipe = await connections[1]?.forward(greeterPort, 'AGENT_MISSING', never);
    assert.equal(await firstWord(pipe), '!');
    assert.equal(greeted, 1);
  });

  it('is not used for anything else, nor twice', async () => {
    const connection = await connect(sshd.port, () => toPort(greeterPort));
    const toNobody = connection.forward(1, 'AGENT_MISSING', never);
    await assert.rejects(toNobody, { code: 'AGENT_MISSING' });
    for (let count = 1; count <= 2; count += 1) {
      const pipe = await connection.forward(greeterPort, 'AGENT_MISSING', never);
      assert.equal(await firstWord(pipe), '!');
    }
  });

  it('may be a process, whose end waits for whoever asks for it', async () => {
    const told = join(sshd.folder, 'told');
    const request = { command: `echo early; echo > ${told}; exit 7` };
    const connection = await connect(sshd.port, () => ({ kind: 'process', request }));
    await until(() => existsSync(told));
    // Once this one is there, all of that one has come.
    const after = await connection.exec({ command: 'true' }, never);
    await after.exited;
    const process = await connection.exec(request, never);
    assert.equal(await firstWord(process.io), 'early\n');
    assert.deepEqual(await process.exited, { code: 7, signal: undefined });
  });

  it('is left out with a server that ended the connection instead, from then on', async () => {
    const plain = await secretBytes(SIGNED_BYTES);
    const cut = connect(relay.port, () => toPort(greeterPort));
    await until(() => relay.connections === 2 && relay.secretBytesFromClient > plain);
    relay.cut();
    await until(() => relay.connections === 3 && relay.secretBytesFromClient >= plain);
    assert.equal(relay.secretBytesFromClient, plain);
    relay.release();
    const pipe = await (await cut).forward(greeterPort, 'AGENT_MISSING', never);
    assert.equal(await firstWord(pipe), '!');
    assert.equal(await secretBytes(SIGNED_BYTES, () => toPort(greeterPort)), plain);
  });

  describe('with a server that is not OpenSSH’s', () => {
    let server: ssh2.Server;
    let asked: string[];
    let heard: string[];
    let decide: (auth: ssh2.AuthContext) => void;

    beforeEach(async () => {
      asked = [];
      heard = [];
      decide = (auth) => auth.accept();
      const hostKeys = [readFileSync(join(sshd.folder, 'host_rsa'))];
      const debug = (text: string): void => void heard.push(text);
      server = new ssh2.Server({ hostKeys, debug }, (client) => {
        client.on('error', () => undefined);
        client.on('authentication', (auth) => {
          asked.push(auth.method);
          decide(auth);
        });
        client.on('ready', () => client.on('tcpip', (accept) => void accept().write('!')));
      });
      await once(server.listen(0, '127.0.0.1'), 'listening');
    });
    afterEach(async () => {
      closeAll();
      await new Promise<void>((done) => server.close(() => done()));
    });

    const port = (): number => (server.address() as AddressInfo).port;
    const hasHeard = (): boolean => heard.some((text) => /Inbound: CHANNEL_OPEN /.test(text));

    it('is asked for again where it came before the user was let in', async () => {
      decide = (auth) => void until(hasHeard).then(() => auth.accept());
      const connection = await connect(port(), () => toPort(7));
      assert.equal(await firstWord(await connection.forward(7, 'AGENT_MISSING', never)), '!');
    });

    it('does not hide that the user is refused', async () => {
      decide = (auth) => auth.reject(['publickey']);
      await assert.rejects(
        connect(port(), () => toPort(7)),
        { code: 'SSH_AUTH_REFUSED' },
      );
      assert.deepEqual(asked, ['publickey']);
    });

    it('is given up where the server says nothing to it', async () => {
      const clock = new ManualClock();
      decide = () => undefined;
      const connecting = connect(port(), () => toPort(7), clock);
      await until(hasHeard);
      decide = (auth) => auth.accept();
      heard = [];
      clock.advance(5_000);
      await connecting;
      assert.deepEqual(asked, ['publickey', 'publickey']);
      assert.equal(hasHeard(), false);
    });
  });
});

function toPort(port: number): ChannelRequest {
  return { kind: 'port', port };
}

function firstWord(pipe: BytePipe | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    if (pipe === undefined) throw new Error('there is no pipe');
    pipe.start({
      onBytes: (chunk) => resolve(Buffer.from(chunk).toString()),
      onWritable: () => undefined,
      onEnd: () => undefined,
      onClosed: (error) => reject(error ?? new Error('it ended without a word')),
    });
  });
}
