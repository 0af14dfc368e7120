import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import ssh2 from 'ssh2';
import { makeSshKeys } from '../../../src/heroku/keys.ts';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { deferred } from '../../../src/runtime/wait.ts';
import { directDialer } from '../../../src/transport/dial.ts';
import { connectSsh } from '../../../src/transport/ssh/connect.ts';
import { type IdentitySet, registeredKey } from '../../../src/transport/ssh/identities.ts';
import { until } from '../../support/until.ts';

const HOST_KEYS = {
  rsa: generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  }).privateKey,
  ecdsa: generateKeyPairSync('ec', {
    namedCurve: 'prime256v1',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'sec1', format: 'pem' },
  }).privateKey,
};

describe('a key that the SSH server was told of', () => {
  let server: ssh2.Server;
  let asked: string[];
  let letsIn: boolean;
  /** Says that there is an authentication service only when it was asked something. */
  let isSlowToAccept: boolean;
  /** What the server's library says of what came. */
  let debugged: string[];

  beforeEach(() => {
    asked = [];
    debugged = [];
    letsIn = true;
    isSlowToAccept = false;
  });
  afterEach(() => new Promise<void>((done) => server.close(() => done())));

  const connect = async (
    hostKey: string,
    algorithm: 'rsa-sha2-512' | 'ssh-rsa' | 'ecdsa-sha2-nistp256',
  ): Promise<void> => {
    const debug = (text: string) => debugged.push(text);
    server = new ssh2.Server({ hostKeys: [hostKey], debug }, (client) => {
      client.on('error', () => undefined);
      if (isSlowToAccept) acceptWhenAsked(client);
      client.on('authentication', (auth) => {
        const isSigned = auth.method === 'publickey' && auth.signature !== undefined;
        asked.push(isSigned ? 'signed' : auth.method);
        if (letsIn && auth.method === 'publickey') auth.accept();
        else auth.reject(['publickey']);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { privateKey } = await makeSshKeys();
    const connection = await connectSsh(
      {
        address: { host: '127.0.0.1', port },
        user: 'dyno',
        dial: directDialer(systemClock),
        hostKeys: async () => ({ algorithms: [algorithm], verify: async () => undefined }),
        identities: registeredKey(privateKey, 'the key'),
        clock: systemClock,
        logger: silentLogger,
      },
      new AbortController().signal,
    );
    connection.close();
  };

  it('signs without a question', async () => {
    await connect(HOST_KEYS.rsa, 'rsa-sha2-512');
    assert.deepEqual(asked, ['signed']);
  });

  for (const [name, hostKey, algorithm] of [
    ['by SHA-1', HOST_KEYS.rsa, 'ssh-rsa'],
    ['by another kind of key', HOST_KEYS.ecdsa, 'ecdsa-sha2-nistp256'],
  ] as const) {
    it(`asks a server that proves itself ${name} which signatures it takes`, async () => {
      await connect(hostKey, algorithm);
      assert.deepEqual(asked, ['none', 'publickey', 'signed']);
    });
  }

  it('is shown before the server has said that it can be asked: another round trip less', async () => {
    isSlowToAccept = true;
    await connect(HOST_KEYS.rsa, 'rsa-sha2-512');
    assert.deepEqual(asked, ['signed']);
  });

  it('is shown with the server’s first word answered, which a server may wait for before it says the next', async () => {
    await connect(HOST_KEYS.rsa, 'rsa-sha2-512');
    await until(() => debugged.some((text) => text.endsWith('Received IGNORE')));
  });

  it('that is refused is shown once', async () => {
    letsIn = false;
    await assert.rejects(connect(HOST_KEYS.rsa, 'rsa-sha2-512'), { code: 'SSH_AUTH_REFUSED' });
    assert.deepEqual(asked, ['signed']);
  });
});

interface Inside {
  readonly _protocol: { serviceAccept(name: string): void };
}

function acceptWhenAsked(client: ssh2.Connection): void {
  const { _protocol } = client as unknown as Inside;
  const accept = _protocol.serviceAccept.bind(_protocol);
  _protocol.serviceAccept = (name) => {
    client.prependOnceListener('authentication', () => accept(name));
  };
}

describe('a key that can not be read', () => {
  it('is not waited for beyond the attempt', async () => {
    const gone = new AbortController();
    let disposed = 0;
    const keys = deferred<IdentitySet>();
    const connecting = connectSsh(
      {
        address: { host: '127.0.0.1', port: 1 },
        user: 'dyno',
        dial: directDialer(systemClock),
        hostKeys: async () => ({ algorithms: [], verify: async () => undefined }),
        identities: () => keys.promise,
        clock: systemClock,
        logger: silentLogger,
      },
      gone.signal,
    );
    gone.abort(new EpmuxError('TIMEOUT', 'too long'));
    await assert.rejects(connecting, { code: 'TIMEOUT' });
    keys.resolve({ identities: [], unusable: [], dispose: () => (disposed += 1) });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(disposed, 1);
  });
});
