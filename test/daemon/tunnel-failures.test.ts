import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { FrameType } from '../../src/protocol/constants.ts';
import { AgentEnd } from '../support/agent-end.ts';
import { connectSpec } from '../support/daemon-fixture.ts';
import { freePort } from '../support/erlang.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { closing, SECRET, SECRETS, says, tunnelEnds } from './tunnel-support.ts';

describe('a tunnel', () => {
  const folder = tempFolder();
  const at = tunnelEnds(folder);

  it('keeps its connections through a cut', async () => {
    await at.up();
    const socket = await at.connectEcho();
    at.agent.cut();
    assert.equal(await says(socket, 'still there'), 'still there');
    const now = await at.until(({ state }) => state === 'up');
    assert.equal(now.reconnects, 1);
    assert.equal(now.links[0]?.resumes, 1);
    assert.equal(now.lastError?.code, 'PIPE_LOST');
    socket.destroy();
  });

  it('that finds no agent says no more of --agent than was given', async () => {
    const silent = net.createServer((socket) => {
      socket.on('error', () => undefined);
      socket.resume().end();
    });
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as net.AddressInfo;
    const spec = connectSpec(port, { name: 'silent' });
    await assert.rejects(at.client.call('up', { spec, secrets: SECRETS }), {
      code: 'AGENT_MISSING',
      hint: 'start `epmux agent` there',
    });
    silent.close();
  });

  it('takes connections while it reconnects, and its nodes are stale meanwhile', async () => {
    await at.up();
    (await at.connectEcho()).destroy();
    at.agent.mute = true;
    at.agent.cut();
    const stale = await at.until(({ state }) => state === 'reconnecting');
    assert.deepEqual(
      stale.nodes.map(({ state }) => state),
      ['stale'],
    );
    const [node] = stale.nodes;
    const socket = net.connect(node?.port ?? 0, node?.address);
    const answer = says(socket, 'hello');
    await once(socket, 'connect');
    at.agent.mute = false;
    at.agent.cut();
    assert.equal(await answer, 'hello');
    await at.until(({ state }) => state === 'up');
    socket.destroy();
  });

  it('closes all connections at once when the agent is new, and takes that one up', async () => {
    await at.up();
    const socket = await at.connectEcho();
    const closed = closing(socket);
    const { port } = at.agent;
    await at.agent.kill();
    at.agent = await AgentEnd.start({ secret: SECRET, port, nodes: { 'new@dyno-2': at.app.port } });
    await closed;
    const now = await at.until(({ nodes }) => nodes[0]?.name === 'new@dyno-2');
    assert.equal(now.nodes.length, 1);
    assert.doesNotMatch(readFileSync(at.daemon.paths.hostsFile, 'utf8'), /dyno-1/);
  });

  it('keeps the nodes that it knows, stale, while epmd is away', async () => {
    await at.up();
    at.agent.setNodes({}, true);
    const now = await at.until(({ lastError }) => lastError?.code === 'NO_EPMD');
    assert.deepEqual(
      now.nodes.map(({ name, state }) => [name, state]),
      [['app@dyno-1', 'stale']],
    );
    at.agent.setNodes({ 'app@dyno-1': at.app.port });
    await at.until(({ nodes }) => nodes[0]?.state === 'up');
  });

  it('that does not come up is no tunnel', async () => {
    await assert.rejects(at.up(SECRETS, await freePort()), { code: 'CONNECT_FAILED' });
    await assert.rejects(at.up({ secret: 'another secret of 16 bytes' }), {
      code: 'SECRET_REFUSED',
    });
    await assert.rejects(at.up({}), { code: 'SECRET_MISSING' });
    assert.deepEqual((await at.client.call('status', {})).tunnels, []);
    assert.doesNotMatch(readFileSync(at.daemon.paths.stateFile, 'utf8'), /prod/);
    assert.deepEqual(readdirSync(at.daemon.paths.secretsDir), []);
  });

  for (const how of ['cancels', 'is gone'] as const) {
    it(`is taken away when its caller ${how} before it is up`, async () => {
      at.agent.mute = true;
      const caller = await at.daemon.client();
      const interrupt = new AbortController();
      const begun = new Promise<void>((resolve) => {
        const call = caller.call(
          'up',
          { spec: connectSpec(at.agent.port), secrets: SECRETS },
          { onProgress: () => resolve(), signal: interrupt.signal },
        );
        call.catch(() => undefined);
      });
      await begun;
      while (at.agent.connections === 0) await at.status();
      if (how === 'cancels') interrupt.abort();
      else caller.close();
      while ((await at.client.call('status', {})).tunnels.length > 0);
      while (at.agent.connections > 0) await at.client.call('status', {});
    });
  }

  it('stays when one of two callers who bring it up is gone', async () => {
    at.agent.mute = true;
    const caller = await at.daemon.client();
    const first = caller.call('up', { spec: connectSpec(at.agent.port), secrets: SECRETS });
    first.catch(() => undefined);
    while (at.agent.connections === 0) await at.client.call('status', {});
    const second = at.up();
    await at.client.call('hello', {});
    caller.close();
    await assert.rejects(first, { code: 'DAEMON_NOT_RUNNING' });
    at.agent.mute = false;
    at.agent.cut();
    await assert.rejects(second, { code: 'PIPE_LOST' });
    assert.equal((await at.up()).tunnel.state, 'up');
  });

  it('does not come up with an agent that breaks the protocol, and says so at once', async () => {
    const tailOfNothing = Uint8Array.of(FrameType.TAIL, 0, 0, 1, 0, 0, 0, 0, 0);
    at.agent.setNodes({});
    at.agent.noise = tailOfNothing;
    await assert.rejects(at.up(), { code: 'PROTOCOL' });
    assert.deepEqual((await at.client.call('status', {})).tunnels, []);
  });

  it('waits for its agent while one with another secret answers, and is that one’s when told its secret', async () => {
    await at.up();
    const socket = await at.connectEcho();
    const closed = closing(socket);
    const { port } = at.agent;
    await at.agent.kill();
    at.agent = await AgentEnd.start({ secret: `${SECRET}, a new one`, port });
    await at.until(({ lastError }) => lastError?.code === 'SECRET_REFUSED');
    const attempts = at.agent.attaches;
    await assert.rejects(at.up(), { code: 'SECRET_REFUSED' });
    assert.equal((await at.status()).state, 'reconnecting');
    assert.equal(socket.closed, false);
    at.agent.setNodes({ 'app@dyno-1': at.app.port });
    await at.up({ secret: `${SECRET}, a new one` });
    await closed;
    assert.equal((await at.status()).state, 'up');
    assert.equal(at.agent.attaches, attempts + 1);
  });
});
