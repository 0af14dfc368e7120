import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { Flag } from '../../src/erlang/handshake.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { askNode } from '../../src/runtime/epmd-client.ts';
import { identifyNode, type NodeProbeOptions, pingNode } from '../../src/runtime/node-probe.ts';
import { duplexPipe } from '../../src/runtime/socket-pipe.ts';
import { ErlangHost, type ErlangNode, randomCookie } from '../support/erlang.ts';

function at(port: number): NodeProbeOptions {
  const open = async () => duplexPipe(connect(port, '127.0.0.1'), 'node');
  return { open, clock: systemClock };
}

const hasCode = (code: string) => (error: unknown) =>
  error instanceof EpmuxError && error.code === code;

describe('asking a real node', function () {
  this.timeout(30_000);
  let host: ErlangHost;
  let node: ErlangNode;
  let port: number;
  before(async () => {
    host = await ErlangHost.start();
    node = await host.node('asked');
    port = (await askNode({ host: '127.0.0.1', port: host.epmdPort }, 'asked'))?.port ?? 0;
  });
  after(() => host.stop());

  it('gives a pong to who knows the cookie, as a hidden node that is gone at once', async () => {
    const pong = await pingNode(at(port), host.cookie);
    assert.equal(pong.node.name, node.name);
    assert.ok(pong.rttMs >= 0);
    const up = await node.event((event) => event.type === 'nodeup');
    assert.equal(up.hidden, true);
    await node.event((event) => event.type === 'nodedown' && event.node === up.node);
    assert.equal(await node.eval('nodes(connected)'), '[]');
    assert.equal(node.log, '');
  });

  it('uses the same few names again and again, so that the node does not collect atoms', async () => {
    const names = new Set<string>();
    for (let ping = 0; ping < 5; ping += 1) {
      await pingNode(at(port), host.cookie);
      const up = await node.event((event) => event.type === 'nodeup');
      await node.event((event) => event.type === 'nodedown' && event.node === up.node);
      names.add(up.node);
    }
    assert.equal(names.size, 1);
  });

  it('tells its name, flags and creation without a cookie, and nothing is logged', async () => {
    const identity = await identifyNode({ ...at(port), expected: 'asked' });
    assert.equal(identity.name, node.name);
    assert.notEqual(identity.flags & Flag.HANDSHAKE_23, 0n);
    assert.equal(String(identity.creation), await node.eval('erlang:system_info(creation)'));
    await node.eval(`
      (fun Wait() -> case ets:tab2list(sys_dist) of [] -> ok; _ -> timer:sleep(5), Wait() end end)(),
      logger_std_h:filesync(default)
    `);
    assert.equal(node.log, '');
  });

  it('is refused with another cookie', async () => {
    await assert.rejects(pingNode(at(port), randomCookie()), hasCode('COOKIE_REFUSED'));
  });

  it('is refused by a node that lets only some others in', async () => {
    const strict = await host.node('stricter');
    await strict.eval('net_kernel:allow([nobody@nowhere])');
    const epmd = { host: '127.0.0.1', port: host.epmdPort };
    const found = await askNode(epmd, 'stricter');
    await assert.rejects(pingNode(at(found?.port ?? 0), host.cookie), hasCode('HANDSHAKE_REFUSED'));
  });

  it('is refused when the node there has another name', async () => {
    const options = { ...at(port), expected: 'another' };
    await assert.rejects(identifyNode(options), hasCode('NODE_NOT_FOUND'));
  });

  it('has its limit when the node is frozen', async () => {
    const frozen = await host.node('frozen');
    const found = await askNode({ host: '127.0.0.1', port: host.epmdPort }, 'frozen');
    frozen.signal('SIGSTOP');
    const options = { ...at(found?.port ?? 0), timeoutMs: 200 };
    await assert.rejects(pingNode(options, host.cookie), hasCode('NODE_UNREACHABLE'));
  });
});

describe('asking what is no node', () => {
  const servers: Server[] = [];
  after(() => {
    for (const server of servers) server.close();
  });

  async function serve(greeting: string | undefined): Promise<{ port: number; seen: string[] }> {
    const seen: string[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (chunk) => {
        seen.push(String.fromCharCode(chunk[2] ?? 0));
        socket.end(greeting ?? '');
      });
    });
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    return { port: address.port, seen };
  }

  it('says so', async () => {
    const { port } = await serve('SSH-2.0-OpenSSH_9\r\n');
    await assert.rejects(identifyNode(at(port)), hasCode('NODE_UNREACHABLE'));
  });

  it('says that it speaks TLS', async () => {
    const { port } = await serve('\x15\x03\x03\x00\x02\x02\x0a');
    await assert.rejects(identifyNode(at(port)), {
      code: 'HANDSHAKE_REFUSED',
      message: /speaks TLS/,
    });
  });

  it('tries the older handshake where the newer one was closed on without a word', async () => {
    const { port, seen } = await serve(undefined);
    await assert.rejects(identifyNode(at(port)), hasCode('NODE_UNREACHABLE'));
    assert.deepEqual(seen, ['N', 'n']);
  });

  it('passes on why there is no way to it', async () => {
    const refused = new EpmuxError('TUNNEL_DOWN', 'the tunnel is down');
    const options = { open: () => Promise.reject(refused), clock: systemClock };
    await assert.rejects(identifyNode(options), refused);
  });
});
