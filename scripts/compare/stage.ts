/**
 * One app with one dyno at the stand-in for Heroku, a laptop beside it, and what both tools are
 * measured by.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { DelayedPath } from '../../test/support/delayed-path.ts';
import { ErlangHost, type ErlangNode } from '../../test/support/erlang.ts';
import type { StandInApp } from '../../test/support/heroku/app.ts';
import type { StandInDyno } from '../../test/support/heroku/dyno.ts';
import { TunnelHosts } from '../../test/support/heroku/official-cli.ts';
import { HerokuStandIn } from '../../test/support/heroku/stand-in.ts';

/** The app's node listens there: a forwarded port has to be the one that epmd tells. */
export const NODE_PORT = 9_100;
const COOKIE = 'PRODUCTION';
const MAX_EVAL_MS = 200_000;

export interface StageOptions {
  /** `net_ticktime` of both nodes; Erlang's own default (60 s) unless told. */
  readonly tickTimeS?: number;
  /** The path to the dyno silently drops connections that were idle for so long. */
  readonly idleLimitMs?: number;
  /** Of the path to Heroku and to the dyno alike; none unless told. */
  readonly roundTripMs?: number;
}

export class Stage {
  readonly heroku: HerokuStandIn;
  readonly laptop: ErlangHost;
  readonly options: StageOptions;
  /** In the dyno before any tool came. */
  processes = 0;
  readonly #hosts = new TunnelHosts();
  readonly #hostOf = new Map<number, Promise<string>>();
  readonly #paths: DelayedPath[] = [];
  #url: string;

  private constructor(heroku: HerokuStandIn, laptop: ErlangHost, options: StageOptions) {
    this.heroku = heroku;
    this.laptop = laptop;
    this.options = options;
    this.#url = heroku.url;
    heroku.tunnelHost = this.#tunnelHost;
  }

  static async start(options: StageOptions = {}): Promise<Stage> {
    const laptop = await ErlangHost.start({ hostName: 'laptop', cookie: COOKIE, epmd: false });
    const stage = new Stage(await HerokuStandIn.start(), laptop, options);
    stage.#url = `https://127.0.0.1:${await stage.#away(Number(new URL(stage.#url).port))}`;
    await stage.addApp('my-app', NODE_PORT);
    stage.processes = processesIn(stage.dyno());
    return stage;
  }

  async addApp(name: string, nodePort: number): Promise<StandInApp> {
    const app = this.heroku.addApp(name);
    const ports = ['inet_dist_listen_min', 'inet_dist_listen_max'];
    const flags = ports.flatMap((key) => ['-kernel', key, String(nodePort)]);
    app.boot = async (dyno) => {
      // So that the first connection does not pay for it.
      await this.#tunnelHost(dyno.path.port);
      if (this.options.idleLimitMs !== undefined) dyno.path.idleLimitMs = this.options.idleLimitMs;
      await dyno.app('app', { flags, ...this.#tickTime });
    };
    await app.scaleUp('web.1', { cookie: COOKIE });
    return app;
  }

  /** What leads a tool to Heroku, by the path as it is. */
  get env(): Readonly<Record<string, string>> {
    const url = this.#url;
    return {
      ...this.heroku.env,
      HEROKU_API_URL: url,
      HEROKU_HOST: url,
      HEROKU_EXEC_URL: `${url}/`,
    };
  }

  dyno(app = 'my-app'): StandInDyno {
    const dyno = this.heroku.apps.get(app)?.dynos.get('web.1');
    if (dyno === undefined) throw new Error(`${app} has no web.1`);
    return dyno;
  }

  /** A new life of my-app's dyno, its node up. */
  async restart(): Promise<StandInDyno> {
    const dyno = await this.heroku.apps.get('my-app')?.restart('web.1');
    return dyno ?? this.dyno();
  }

  /** The name of the app's node. */
  target(app = 'my-app'): string {
    return `app@${this.dyno(app).hostName}`;
  }

  /** A local node that listens nowhere, led by this environment. */
  node(env: Readonly<Record<string, string>>): Promise<ErlangNode> {
    const flags = ['-dist_listen', 'false'];
    return this.laptop.node('me', { hidden: true, env, flags, ...this.#tickTime });
  }

  async stop(): Promise<void> {
    this.#hosts.stop();
    for (const path of this.#paths) path.stop();
    await this.laptop.stop();
    await this.heroku.stop();
  }

  readonly #tunnelHost = async (port: number): Promise<string> => {
    const known = this.#hostOf.get(port) ?? this.#away(port).then(this.#hosts.hostOf);
    this.#hostOf.set(port, known);
    return known;
  };

  /** A port of loopback's that leads to this one by the path as it is. */
  async #away(port: number): Promise<number> {
    const { roundTripMs } = this.options;
    if (roundTripMs === undefined) return port;
    const path = await DelayedPath.start({ host: '127.0.0.1', port }, roundTripMs);
    this.#paths.push(path);
    return path.port;
  }

  get #tickTime(): { tickTimeS?: number } {
    const { tickTimeS } = this.options;
    return tickTimeS === undefined ? {} : { tickTimeS };
  }
}

export class Stopwatch {
  readonly #start: number = performance.now();

  get seconds(): number {
    return (performance.now() - this.#start) / 1_000;
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export const inSeconds = (seconds: number): string => `${seconds.toFixed(1)} s`;

/** How long it took until the node answered; undefined when it did not within the limit. */
export async function untilPong(
  node: ErlangNode,
  target: string,
  limitMs: number,
): Promise<number | undefined> {
  const clock = new Stopwatch();
  while (clock.seconds * 1_000 < limitMs) {
    if ((await node.eval(`net_adm:ping('${target}')`, MAX_EVAL_MS)) === 'pong')
      return clock.seconds;
    await pause(100);
  }
  return undefined;
}

export interface Watched {
  /** Since the watch began, in seconds; undefined: it has not happened. */
  downAfter: number | undefined;
}

/** Watches for a `nodedown` from now on. */
export function watchDown(node: ErlangNode, target: string): Watched {
  const clock = new Stopwatch();
  const watched: Watched = { downAfter: undefined };
  const fits = (event: { type: string; node: string }) =>
    event.type === 'nodedown' && event.node === target;
  node.event(fits, MAX_EVAL_MS).then(
    () => {
      watched.downAfter = clock.seconds;
    },
    // It did not go down until the row ended.
    () => undefined,
  );
  return watched;
}

export interface CallOutcome {
  readonly value: string;
  readonly seconds: number;
}

/** `rpc:call` of a sleep in the app's node. */
export async function remoteSleep(
  node: ErlangNode,
  target: string,
  ms: number,
): Promise<CallOutcome> {
  const clock = new Stopwatch();
  const value = await node.eval(`rpc:call('${target}', timer, sleep, [${ms}])`, MAX_EVAL_MS);
  return { value, seconds: clock.seconds };
}

export function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** How many processes run in the dyno now. */
export function processesIn(dyno: StandInDyno): number {
  const [file = '', ...args] = [...dyno.prefix, 'readlink', '/proc/self/ns/net'];
  const network = spawnSync(file, args, { encoding: 'utf8' }).stdout.trim();
  const isThere = (pid: string): boolean => {
    try {
      return readlinkSync(`/proc/${pid}/ns/net`) === network;
    } catch {
      // It has ended meanwhile.
      return false;
    }
  };
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isThere(name)).length;
}
