import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { readState } from '../../src/daemon/state.ts';
import { startStandInNode } from '../../src/demo/stand-in-node.ts';
import { encodeName, encodeStatus, Flag, framed } from '../../src/erlang/handshake.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { askNode } from '../../src/runtime/epmd-client.ts';
import { pingNode } from '../../src/runtime/node-probe.ts';
import { duplexPipe } from '../../src/runtime/socket-pipe.ts';
import { AgentEnd } from '../support/agent-end.ts';
import { connectSpec } from '../support/daemon-fixture.ts';
import { freePort } from '../support/erlang.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { register } from './epmd-support.ts';
import { COOKIE, closing, SECRET, SECRETS, tunnelEnds } from './tunnel-support.ts';

describe('a tunnel', () => {
  const folder = tempFolder();
  const at = tunnelEnds(folder);

  it('is up when its nodes can be reached, and tells each step', async () => {
    const steps: string[] = [];
    const { tunnel, alreadyUp, leading } = await at.client.call(
      'up',
      { spec: connectSpec(at.agent.port), secrets: SECRETS },
      { onProgress: ({ step }) => steps.push(step) },
    );
    assert.equal(alreadyUp, false);
    assert.equal(tunnel.state, 'up');
    assert.equal(tunnel.links[0]?.incarnation, at.agent.bootId.toString('hex'));
    assert.deepEqual(
      tunnel.nodes.map(({ name, state }) => [name, state]),
      [['app@dyno-1', 'up']],
    );
    assert.match(steps.join('\n'), /connecting to .*\n.*agent.*\nattached .*epmux\/test/);
    assert.match(readFileSync(leading.inetrc, 'utf8'), /hosts_file/);
    assert.match(readFileSync(at.daemon.paths.hostsFile, 'utf8'), /^127\.0\.0\.\d+ dyno-1$/m);
    const [node] = tunnel.nodes;
    const host = node?.address ?? '';
    assert.equal((await askNode({ host, port: leading.epmdPort }, 'app'))?.port, node?.port);
  });

  it('answers a ping with the cookie given, and a pang says why', async () => {
    await at.up();
    const pong = await at.client.call('ping', {});
    assert.equal(pong.pong, true);
    assert.equal(pong.node, 'app@dyno-1');
    assert.ok(pong.rttMs !== null);
    const pang = await at.client.call('ping', { node: 'app', cookie: 'WRONG' });
    assert.equal(pang.pong, false);
    assert.equal(pang.error?.code, 'COOKIE_REFUSED');
    at.agent.setNodes({ 'app@dyno-1': await freePort() });
    assert.equal((await at.client.call('ping', {})).pong, false);
  });

  it('is found by the name of a node, of its part before @, or its own', async () => {
    await at.up();
    for (const node of ['app@dyno-1', 'app', 'prod', undefined]) {
      const found = await at.client.call('resolve', node === undefined ? {} : { node });
      assert.equal(found.node.name, 'app@dyno-1');
      assert.equal(found.tunnel, 'prod');
    }
    await assert.rejects(at.client.call('resolve', { node: 'web' }), { code: 'NODE_NOT_FOUND' });
    at.agent.setNodes({ 'app@dyno-1': at.app.port, 'worker@dyno-1': at.app.port });
    await at.until((now) => now.nodes.length === 2);
    for (const params of [{}, { node: 'prod' }]) {
      await assert.rejects(at.client.call('resolve', params), {
        code: 'NODE_AMBIGUOUS',
        message: /app@dyno-1.*worker@dyno-1/,
      });
    }
  });

  it('is left as it is by a second up, and refuses another under its name', async () => {
    await at.up();
    assert.equal((await at.up({})).alreadyUp, true);
    assert.equal(at.agent.attaches, 1);
    const other = connectSpec(at.agent.port, { hiddenOnly: true });
    await assert.rejects(at.client.call('up', { spec: other, secrets: SECRETS }), {
      code: 'TUNNEL_EXISTS',
    });
    assert.equal((await at.status()).state, 'up');
  });

  it('takes secret and cookie from the files that it names, each time anew', async () => {
    const secretFile = join(folder.path, 'secret');
    const cookieFile = join(folder.path, 'cookie');
    writeFileSync(secretFile, `${SECRET}\n`);
    writeFileSync(cookieFile, 'OLD\n');
    const spec = connectSpec(at.agent.port, { secretFile, cookieFile });
    await at.client.call('up', { spec, secrets: {} });
    const { error } = await at.client.call('ping', {});
    assert.equal(error?.code, 'COOKIE_REFUSED');
    assert.equal(error.hint, 'correct that file, or pass another --cookie-file');
    writeFileSync(cookieFile, `${COOKIE}\n`);
    assert.equal((await at.client.call('ping', {})).pong, true);
  });

  it('takes over the files that a second up names, in place of what was given, and keeps them', async () => {
    await at.up({ secret: SECRET, cookie: 'OLD' });
    assert.equal((await at.client.call('ping', {})).error?.code, 'COOKIE_REFUSED');
    const cookieFile = join(folder.path, 'cookie');
    writeFileSync(cookieFile, `${COOKIE}\n`);
    const spec = connectSpec(at.agent.port, { cookieFile });
    assert.equal((await at.client.call('up', { spec, secrets: {} })).alreadyUp, true);
    assert.equal((await at.client.call('ping', {})).pong, true);
    assert.equal((await at.up({})).alreadyUp, true);
    assert.deepEqual((await at.client.call('spec', { name: 'prod' })).spec, spec);
    const { tunnels } = readState(readFileSync(at.daemon.paths.stateFile, 'utf8'));
    assert.deepEqual(tunnels, [spec]);
    assert.equal((await at.client.call('ping', {})).pong, true);
  });

  it('shares its host with another tunnel, and the first has a name that both have', async () => {
    await at.up();
    const other = await AgentEnd.start({
      secret: SECRET,
      nodes: { 'app@dyno-1': at.app.port, 'worker@dyno-1': at.app.port },
    });
    const { tunnel } = await at.client.call('up', {
      spec: connectSpec(other.port, { name: 'other' }),
      secrets: SECRETS,
    });
    const reachable = tunnel.nodes.map(({ name, unreachable }) => [
      name,
      unreachable === undefined,
    ]);
    assert.deepEqual(reachable, [
      ['app@dyno-1', false],
      ['worker@dyno-1', true],
    ]);
    const why = 'the tunnel prod was first to have the name app for dyno-1';
    assert.equal(tunnel.nodes[0]?.unreachable, why);
    for (const node of ['app', 'app@dyno-1']) {
      await assert.rejects(at.client.call('resolve', { node }), {
        code: 'NODE_AMBIGUOUS',
        message: `${node} may be several nodes: app@dyno-1 (prod), app@dyno-1 (other)`,
      });
    }
    for (const name of ['prod', 'other']) {
      assert.equal((await at.client.call('resolve', { node: `${name}/app` })).tunnel, name);
    }
    await at.client.call('down', { name: 'prod' });
    assert.equal((await at.client.call('resolve', { node: 'app' })).node.unreachable, undefined);
    await other.kill();
  });

  it('pings the node that is asked for, also where another tunnel has one of that name', async () => {
    await at.up();
    const stranger = await startStandInNode('app@dyno-1', 'ANOTHER');
    const other = await AgentEnd.start({ secret: SECRET, nodes: { 'app@dyno-1': stranger.port } });
    const spec = connectSpec(other.port, { name: 'other' });
    await at.client.call('up', { spec, secrets: SECRETS });
    const { pong, error } = await at.client.call('ping', { node: 'other' });
    assert.deepEqual([pong, error?.code], [false, 'COOKIE_REFUSED']);
    assert.equal((await at.client.call('ping', { node: 'prod/app' })).pong, true);
    await other.kill();
    await stranger.close();
  });

  it('leads on who brings the production cookie, also where this user has none', async () => {
    mkdirSync(join(folder.path, '.erlang.cookie'));
    await at.up();
    const [node] = (await at.status()).nodes;
    const open = async () =>
      duplexPipe(net.connect(node?.port ?? 0, node?.address), 'a local node');
    assert.equal((await pingNode({ open, clock: systemClock }, COOKIE)).node.name, 'app@dyno-1');
  });

  it('lets no local node in that bears the name of a node behind any tunnel, and says so', async () => {
    await at.up();
    const other = await AgentEnd.start({ secret: SECRET, nodes: { 'web@dyno-2': at.app.port } });
    const spec = connectSpec(other.port, { name: 'other' });
    await at.client.call('up', { spec, secrets: SECRETS });
    const [node] = (await at.status()).nodes;
    const socket = net.connect(node?.port ?? 0, node?.address);
    const flags = Flag.HANDSHAKE_23;
    const name = encodeName({ version: 6, flags, creation: 1, name: 'web@dyno-2' });
    socket.end(framed(name));
    const [told] = await once(socket, 'data');
    assert.deepEqual(told, Buffer.from(framed(encodeStatus('not_allowed'))));
    const { nodes } = await at.until((now) => now.nodes[0]?.lastCut !== undefined);
    assert.equal(nodes[0]?.lastCut?.code, 'HANDSHAKE_REFUSED');
    assert.match(nodes[0]?.lastCut?.message ?? '', /web@dyno-2 is the name of a node there/);
    await other.kill();
  });

  it('says which of its nodes a local one goes before', async () => {
    const { epmdPort } = await at.client.call('leading', {});
    const { socket } = await register(epmdPort, 'app');
    at.agent.setNodes({ 'app@localhost': at.app.port, 'worker@dyno-1': at.app.port });
    await at.up();
    const { node } = await at.client.call('resolve', { node: 'app' });
    assert.match(node.unreachable ?? '', /^a node of this machine was first/);
    assert.equal((await at.client.call('ping', { node: 'app' })).node, 'app@localhost');
    assert.match(readFileSync(at.daemon.paths.logFile, 'utf8'), /warn: local nodes are not led/);
    socket.destroy();
  });

  it('is not harmed by strangers at its node ports', async () => {
    const { tunnel } = await at.up();
    const [node] = tunnel.nodes;
    for (let stranger = 0; stranger < 20; stranger += 1) {
      const socket = net.connect(node?.port ?? 0, node?.address);
      socket.on('error', () => undefined);
      const closed = closing(socket);
      socket.end(Buffer.alloc(1_000, stranger));
      socket.resume();
      await closed;
    }
    assert.equal((await at.client.call('ping', {})).pong, true);
  });
});
