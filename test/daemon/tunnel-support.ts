import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import type { TunnelStatus, UpSecrets } from '../../src/daemon/control/api.ts';
import type { ControlClient } from '../../src/daemon/control/client.ts';
import { type StandInNode, startStandInNode } from '../../src/demo/stand-in-node.ts';
import { AgentEnd } from '../support/agent-end.ts';
import { connectSpec, DaemonFixture } from '../support/daemon-fixture.ts';

export const SECRET = 'a secret of sixteen bytes';
export const COOKIE = 'PRODUCTION';
export const SECRETS: UpSecrets = { secret: SECRET, cookie: COOKIE };

/**
 * Answers every byte with itself, as no node does: the relay lets pass what it does not understand.
 */
async function echo(): Promise<net.Server> {
  const server = net.createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

export function closing(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

const portOf = (server: net.Server) => (server.address() as net.AddressInfo).port;

export async function says(socket: net.Socket, text: string): Promise<string> {
  socket.write(text);
  const [chunk] = await once(socket, 'data');
  return String(chunk);
}

/**
 * A daemon in this process, an agent's end and a node: made for each test, and a test may put
 * others in their places.
 */
class TunnelEnds {
  daemon!: DaemonFixture;
  client!: ControlClient;
  agent!: AgentEnd;
  app!: StandInNode;
  echoing!: net.Server;

  async start(folder: string): Promise<void> {
    this.daemon = new DaemonFixture(folder);
    this.app = await startStandInNode('app@dyno-1', COOKIE);
    this.echoing = await echo();
    this.agent = await AgentEnd.start({ secret: SECRET, nodes: { 'app@dyno-1': this.app.port } });
    await this.daemon.start();
    this.client = await this.daemon.client();
  }

  async stop(): Promise<void> {
    await this.daemon.stop();
    await this.agent.kill();
    await this.app.close();
    this.echoing.close();
  }

  up(secrets = SECRETS, port = this.agent.port) {
    return this.client.call('up', { spec: connectSpec(port), secrets });
  }

  async status(): Promise<TunnelStatus> {
    const { tunnels } = await this.client.call('status', {});
    assert.ok(tunnels[0] !== undefined);
    return tunnels[0];
  }

  async until(fits: (tunnel: TunnelStatus) => boolean): Promise<TunnelStatus> {
    for (;;) {
      const now = await this.status();
      if (fits(now)) return now;
    }
  }

  /** A connection to the echo behind the node `echo@dyno-1`. */
  async connectEcho(): Promise<net.Socket> {
    this.agent.setNodes({ 'echo@dyno-1': portOf(this.echoing) });
    const { nodes } = await this.until((now) => now.nodes[0]?.name === 'echo@dyno-1');
    const [node] = nodes;
    assert.ok(node !== undefined);
    const socket = net.connect(node.port, node.address);
    socket.on('error', () => undefined);
    assert.equal(await says(socket, 'hello'), 'hello');
    return socket;
  }
}

/** For the suite that calls this: both ends of a tunnel, anew for each test. */
export function tunnelEnds(folder: { readonly path: string }): TunnelEnds {
  const at = new TunnelEnds();
  beforeEach(() => at.start(folder.path));
  afterEach(() => at.stop());
  return at;
}
