import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { Connections } from '../../src/heroku/connections.ts';
import { directFetch, prepareConnections } from '../../src/heroku/direct-fetch.ts';
import { readExtraCa } from '../../src/heroku/extra-ca.ts';
import { trustIn } from '../../src/heroku/trust.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { type Dialer, directDialer } from '../../src/transport/dial.ts';
import { makeCertificate } from '../support/heroku/certificate.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { ScriptedServer } from './support.ts';

describe('connections to Heroku that are made in advance', () => {
  it('are as many as were asked for, however often, and none in clear text', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket.on('error', () => undefined)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      prepareConnections(new URL(`http://127.0.0.1:${port}`), 2);
      prepareConnections(new URL(`https://127.0.0.1:${port}`), 2);
      prepareConnections(new URL(`https://127.0.0.1:${port}`), 2);
      while (sockets.length < 2) await once(server, 'connection');
      const [hello] = await once(sockets[0] ?? assert.fail(), 'data');
      // A ClientHello, and nothing before it.
      assert.equal((hello as Buffer)[0], 0x16);
      assert.equal(sockets.length, 2);
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });
});

describe('a connection to Heroku', () => {
  const folder = tempFolder();
  const init = { method: 'GET', headers: {}, body: null, redirect: 'manual' } as const;

  it('is given up at once with its question while it is still being made', async () => {
    const abort = new AbortController();
    let dialled: AbortSignal | undefined;
    const dial: Dialer = (_to, signal) => {
      dialled = signal;
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('given up')));
      });
    };
    const trust = { ...trustIn(''), agent: new Connections({}, dial) };
    const url = new URL('https://api.example.com/');
    const asked = directFetch(url, { ...init, signal: abort.signal }, trust);
    while (dialled === undefined) await new Promise((turn) => setImmediate(turn));
    abort.abort();
    await assert.rejects(asked);
    assert.equal(dialled.aborted, true);
  });

  it('is made by who asks where the one made in advance has failed', async () => {
    const { caFile, ...own } = makeCertificate(folder.path);
    const server = await ScriptedServer.start(own);
    server.answer({ json: {} });
    let dialled = 0;
    const dial: Dialer = async (to, signal) => {
      dialled += 1;
      if (dialled === 1) throw new Error('the path was gone');
      return directDialer(systemClock)(to, signal);
    };
    const agent = new Connections({}, dial);
    const { secureContext } = trustIn(readExtraCa(caFile));
    try {
      const url = new URL(server.url);
      agent.prepare(url, 1);
      const { status } = await directFetch(
        url,
        { ...init, signal: new AbortController().signal },
        { agent, secureContext },
      );
      assert.deepEqual([status, dialled], [200, 2]);
    } finally {
      await server.stop();
    }
  });
});
