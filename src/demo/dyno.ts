import { AGENT_PORT, EPMD_PORT } from '../runtime/address.ts';
import { Cleanup } from './cleanup.ts';
import { type Erlang, plainEnvironment } from './erlang.ts';
import { type DemoNode, startNode } from './node.ts';
import { startProgram } from './program.ts';
import { type SshServer, startSshServer } from './ssh-server.ts';

const START_MS = 30_000;
export const DYNO_USER = 'dyno';

/** What all dynos of the app have in common. */
export interface DynoImage {
  /** The home folder, with the cookie. */
  readonly home: string;
  readonly cookie: string;
  /** How this program runs itself: node, its options and the main script. */
  readonly self: readonly [string, ...string[]];
  /** The agents'. */
  readonly secret: string;
  /** Undefined: the nodes are stand-ins. */
  readonly erlang: Erlang | undefined;
  readonly interrupted: AbortSignal;
}

/**
 * One life of a dyno: a node, the agent that came with the app, and the way in, where 9001 is that
 * agent and 4369 that node's epmd.
 */
export interface Dyno {
  readonly nodeName: string;
  readonly node: DemoNode;
  readonly ssh: SshServer;
  stop(): Promise<void>;
}

/**
 * Resolves when the agent listens and the node is registered. What fails leaves nothing. `dyno`:
 * `web.1`.
 */
export async function startDyno(
  dyno: string,
  nodeName: string,
  { home, cookie, self, secret, erlang, interrupted }: DynoImage,
): Promise<Dyno> {
  const cleanup = new Cleanup();
  try {
    const node = await startNode(erlang, {
      home,
      cookie,
      name: nodeName,
      dyno,
      interrupted,
      cleanup,
    });
    const { epmdPort } = node;
    const agent = startProgram({
      title: `the agent of ${dyno}`,
      command: [...self, 'agent', '--port', '0', '--epmd-port', String(epmdPort)],
      env: { ...plainEnvironment(), HOME: home, DYNO: dyno, EPMUX_SECRET: secret },
    });
    cleanup.add('the agent', () => agent.stop());
    const [, port] = await agent.line(/listening .*address=\S+:(\d+)/, START_MS, interrupted);
    const behind = new Map([
      [AGENT_PORT, Number(port)],
      [EPMD_PORT, epmdPort],
    ]);
    const ssh = await startSshServer({ user: DYNO_USER, portBehind: (asked) => behind.get(asked) });
    cleanup.add('the SSH server', () => ssh.close());
    return { nodeName, node, ssh, stop: () => cleanup.run() };
  } catch (error) {
    // The first failure is the one to tell.
    await cleanup.run().catch(() => {});
    throw error;
  }
}
