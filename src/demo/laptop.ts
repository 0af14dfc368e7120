import type { Leading, LinkStatus, NodeStatus, TunnelStatus } from '../daemon/control/api.ts';
import { type ControlClient, connectDaemon, fromErrorStatus } from '../daemon/control/client.ts';
import { daemonPaths } from '../daemon/paths.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { Cleanup } from './cleanup.ts';
import { plainEnvironment } from './erlang.ts';
import { type Program, startProgram } from './program.ts';
import { until } from './until.ts';

const START_MS = 30_000;
const UP_MS = 60_000;
const NODES_MS = 30_000;
const PING_MS = 5_000;
const PONG_MS = 20_000;
const RESUME_MS = 30_000;
const BACK_MS = 30_000;

const NO_LINE = /(?!)/;

export interface LaptopOptions {
  /** A home folder of its own, and so a ~/.netrc of its own. */
  readonly home: string;
  readonly epmuxHome: string;
  /** How this program runs itself: node, its options and the main script. */
  readonly self: readonly [string, ...string[]];
  readonly app: string;
  /** Where the stand-in for Heroku is, and the key for it. */
  readonly heroku: { readonly url: string; readonly token: string };
  readonly interrupted: AbortSignal;
  readonly cleanup: Cleanup;
}

/**
 * The laptop's side: `epmux up --foreground`, so a daemon of the demo's own that no supervisor
 * brings back, and its control socket.
 */
export interface Laptop {
  /** As soon as a node can be reached. */
  up(): Promise<Leading>;
  /** The nodes, as soon as so many are reachable. */
  nodes(count: number): Promise<readonly NodeStatus[]>;
  /** The round-trip time of a ping; fails when it is no pong. */
  ping(node: string, timeoutMs?: number): Promise<number>;
  /** As `ping`, as soon as the agent there has found a cookie that the node accepts. */
  pong(node: string): Promise<number>;
  links(): Promise<readonly LinkStatus[]>;
  link(dyno: string): Promise<LinkStatus>;
  /** The link, as soon as its session has been resumed more often than `resumes`. */
  resumed(dyno: string, resumes: number): Promise<LinkStatus>;
  /** The node of a dyno, as soon as there is one that another agent than `incarnation` tells of. */
  back(dyno: string, incarnation: string | null): Promise<NodeStatus>;
}

export async function startLaptop(options: LaptopOptions): Promise<Laptop> {
  const { home, epmuxHome, self, app, heroku, interrupted, cleanup } = options;
  const daemon = startProgram({
    title: '`epmux up`',
    command: [...self, 'up', '-a', app, '--agent', 'require', '--foreground'],
    env: {
      ...plainEnvironment(),
      HEROKU_API_URL: heroku.url,
      HEROKU_EXEC_URL: heroku.url,
      HEROKU_API_KEY: heroku.token,
      HOME: home,
      EPMUX_HOME: epmuxHome,
    },
  });
  cleanup.add('the daemon', () => daemon.stop());
  const client = await until('the daemon', START_MS, interrupted, () => {
    daemon.assertRuns();
    return reach(epmuxHome);
  });
  cleanup.add('the control connection', async () => client.close());
  return new ForegroundLaptop(client, daemon, interrupted);
}

class ForegroundLaptop implements Laptop {
  readonly #client: ControlClient;
  readonly #daemon: Program;
  readonly #interrupted: AbortSignal;

  constructor(client: ControlClient, daemon: Program, interrupted: AbortSignal) {
    this.#client = client;
    this.#daemon = daemon;
    this.#interrupted = interrupted;
  }

  async up(): Promise<Leading> {
    await this.#until('the tunnel', UP_MS, async () => {
      const now = await this.#tunnel().catch(async (error: unknown) => {
        // Why it ends says more than that its connection did.
        await this.#daemon.line(NO_LINE, START_MS, this.#interrupted);
        throw error;
      });
      return now?.nodes.some(isThere) || undefined;
    });
    return this.#client.call('leading', {}, { signal: this.#interrupted });
  }

  nodes(count: number): Promise<readonly NodeStatus[]> {
    return this.#until(`${count} nodes`, NODES_MS, async () => {
      const nodes = ((await this.#tunnel())?.nodes ?? []).filter(isThere);
      return nodes.length === count ? nodes : undefined;
    });
  }

  async ping(node: string, timeoutMs = PING_MS): Promise<number> {
    const signal = this.#interrupted;
    const result = await this.#client.call('ping', { node, timeoutMs }, { signal });
    if (result.pong && result.rttMs !== null) return result.rttMs;
    const { error } = result;
    const why =
      error === null ? new EpmuxError('NODE_UNREACHABLE', 'pang') : fromErrorStatus(error);
    throw why.with({ message: `${result.node}: ${why.message}` });
  }

  pong(node: string): Promise<number> {
    return this.#until(`a pong of ${node}`, PONG_MS, () =>
      this.ping(node).catch((error: EpmuxError) => {
        if (error.code === 'COOKIE_REFUSED') return undefined;
        throw error;
      }),
    );
  }

  async links(): Promise<readonly LinkStatus[]> {
    return (await this.#tunnel())?.links ?? [];
  }

  link(dyno: string): Promise<LinkStatus> {
    return this.#until(`the link to ${dyno}`, NODES_MS, () => this.#findLink(dyno));
  }

  resumed(dyno: string, resumes: number): Promise<LinkStatus> {
    return this.#until(`the link to ${dyno} to resume`, RESUME_MS, async () => {
      const now = await this.#findLink(dyno);
      return now?.state === 'up' && now.resumes > resumes ? now : undefined;
    });
  }

  back(dyno: string, incarnation: string | null): Promise<NodeStatus> {
    return this.#until(`the new ${dyno}`, BACK_MS, async () => {
      const now = await this.#tunnel();
      const link = now?.links.find((each) => each.dyno === dyno);
      if (link?.state !== 'up' || link.incarnation === incarnation) return undefined;
      return now?.nodes.find((node) => node.dyno === dyno && isThere(node));
    });
  }

  async #tunnel(): Promise<TunnelStatus | undefined> {
    return (await this.#client.call('status', {}, { signal: this.#interrupted })).tunnels[0];
  }

  async #findLink(dyno: string): Promise<LinkStatus | undefined> {
    return (await this.links()).find((link) => link.dyno === dyno);
  }

  #until<T>(what: string, limitMs: number, look: () => Promise<T | undefined>): Promise<T> {
    return until(what, limitMs, this.#interrupted, look);
  }
}

/** For a moment a busy agent may know no more than the name that epmd has. */
function isThere({ name, state }: NodeStatus): boolean {
  return state === 'up' && name.includes('@');
}

async function reach(epmuxHome: string): Promise<ControlClient | undefined> {
  try {
    return await connectDaemon(daemonPaths({ EPMUX_HOME: epmuxHome }));
  } catch (error) {
    if (EpmuxError.is(error, 'DAEMON_NOT_RUNNING')) return undefined;
    throw error;
  }
}
