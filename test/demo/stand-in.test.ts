import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import type { LoopbackServer } from '../../src/demo/loopback.ts';
import { startStandInEpmd } from '../../src/demo/stand-in-epmd.ts';
import { type StandInNode, startStandInNode } from '../../src/demo/stand-in-node.ts';
import { encodeEpmdRequest } from '../../src/erlang/epmd.ts';
import { encodeReply, framed } from '../../src/erlang/handshake.ts';
import { NodeClient } from '../../src/erlang/node-client.ts';
import { askNode } from '../../src/runtime/epmd-client.ts';
import { ErlangHost, type ErlangNode } from '../support/erlang.ts';

const run = promisify(execFile);
const never = new AbortController().signal;
const COOKIE = 'SECRETCOOKIE';

describe('the stand-in node and epmd', () => {
  let host: ErlangHost;
  let node: StandInNode;
  let epmd: LoopbackServer;
  let name: string;

  before(async () => {
    node = await startStandInNode('my_app@dyno', COOKIE);
    epmd = await startStandInEpmd('my_app', node.port);
    host = await ErlangHost.start({
      hosts: ['dyno'],
      cookie: COOKIE,
      epmd: false,
      epmdPort: epmd.port,
    });
    name = 'my_app@dyno';
  });
  after(async () => {
    await host.stop();
    await epmd.close();
    await node.close();
  });
  beforeEach(() => {
    node.answerMs = 0;
  });

  describe('to a real Erlang node', () => {
    let erlang: ErlangNode;
    before(async () => {
      erlang = await host.node('me', { flags: ['-dist_listen', 'false'] });
    });

    it('are found and answer net_adm:ping with pong', async () => {
      assert.equal(await erlang.eval(`net_adm:ping('${name}')`), 'pong');
      assert.equal(await erlang.eval('nodes(connected)'), `[${name}]`);
    });

    it('answer again and again over the same connection', async () => {
      for (let i = 0; i < 3; i += 1) {
        assert.equal(await erlang.eval(`net_adm:ping('${name}')`), 'pong');
      }
    });

    it('take as long as they are told to', async () => {
      node.answerMs = 50;
      const asked = node.asked(never);
      const answer = erlang.eval(`net_adm:ping('${name}')`);
      await asked;
      assert.equal(node.lostCalls, 0);
      assert.equal(await answer, 'pong');
    });

    it('notice a call that is lost', async () => {
      node.answerMs = 60_000;
      const asked = node.asked(never);
      const answer = erlang.eval(`net_adm:ping('${name}')`);
      await asked;
      assert.equal(await erlang.eval(`erlang:disconnect_node('${name}')`), 'true');
      assert.equal(await answer, 'pang');
      const deadline = performance.now() + 5_000;
      while (node.lostCalls === 0 && performance.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      assert.equal(node.lostCalls, 1);
    });
  });

  it('are listed by a real epmd -names', async () => {
    const { stdout } = await run('epmd', ['-port', String(epmd.port), '-names']);
    assert.match(stdout, new RegExp(`^name my_app at port ${node.port}$`, 'm'));
  });

  it('refuse another cookie, and a real node says so', async () => {
    const other = await host.node('other', { cookie: 'OTHER', flags: ['-dist_listen', 'false'] });
    assert.equal(await other.eval(`net_adm:ping('${name}')`), 'pang');
    await other.stop();
  });

  it('give a nameless node a name, and answer its ping', async () => {
    const client = new NodeClient({
      cookie: COOKIE,
      expected: name,
      host: 'laptop',
      version: 6,
      random: () => 42,
    });
    const socket = connect(node.port, '127.0.0.1');
    socket.write(client.start());
    for await (const chunk of socket) {
      for (const bytes of client.receive(chunk, 0)) socket.write(bytes);
      if (client.outcome !== undefined) break;
    }
    assert.equal(client.outcome?.kind, 'pong');
  });

  it('know no other name', async () => {
    assert.equal(await askNode({ host: '127.0.0.1', port: epmd.port }, 'other'), undefined);
  });

  const garbage: [what: string, port: () => number, bytes: Uint8Array][] = [
    ['text on the node', () => node.port, Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a frame of no handshake', () => node.port, framed(Buffer.from('xyz'))],
    [
      'a reply out of turn',
      () => node.port,
      framed(encodeReply({ challenge: 1, digest: new Uint8Array(16) })),
    ],
    ['text on the epmd', () => epmd.port, Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a wish to kill the epmd', () => epmd.port, encodeEpmdRequest({ kind: 'kill' })],
  ];
  for (const [what, port, bytes] of garbage) {
    it(`hang up on ${what}`, async () => {
      const socket = connect(port(), '127.0.0.1');
      socket.write(bytes);
      const received: Buffer[] = [];
      for await (const chunk of socket) received.push(chunk);
      assert.equal(Buffer.concat(received).length, 0);
    });
  }
});
