import { EpmuxError } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { VERSION } from '../runtime/version.ts';
import {
  type ControlMethods,
  type DaemonStatus,
  type Leading,
  LONGEST,
  type TunnelStatus,
} from './control/api.ts';
import type { ControlHandlers } from './control/handlers.ts';
import { withinLine } from './control/within-line.ts';
import type { ExecBroker } from './exec/broker.ts';
import { execOverTunnel } from './exec/over-tunnel.ts';
import { ping } from './ping.ts';
import { resolveNode } from './resolve.ts';
import type { Supervised } from './supervised.ts';
import type { Tunnel } from './tunnel.ts';
import type { Tunnels } from './tunnels.ts';
import {
  execRequest,
  flag,
  integer,
  object,
  optional,
  text,
  tunnelName,
  tunnelSpec,
  upSecrets,
  way,
} from './validate.ts';
import { herokuAhead } from './validate-ahead.ts';

const MAX_PING_MS = 600_000;
const MAX_SILENCE_MS = 60_000;

export interface HandledDaemon {
  readonly tunnels: Tunnels;
  readonly execBroker: ExecBroker;
  readonly leading: Leading;
  readonly startedAt: string;
  readonly problems: readonly string[];
  /** Undefined: this one is nobody's to supervise. */
  readonly supervised: Supervised | undefined;
  readonly localCookie: () => Promise<string>;
  readonly clock: Clock;
}

type Params<M extends keyof ControlMethods> = ControlMethods[M][0];

const nodeText = optional(text(LONGEST.node));
const byName = object<{ readonly name?: string }>({ name: optional(tunnelName) });

function chosen(tunnels: Tunnels, name: string | undefined): readonly Tunnel[] {
  return name === undefined ? tunnels.all : [tunnels.get(name)];
}

function told(tunnel: Tunnel): TunnelStatus {
  const status = tunnel.status();
  return withinLine([status])[0] ?? status;
}

function toTakeDown(tunnels: Tunnels, { name, all, none }: Params<'down'>): readonly Tunnel[] {
  if (none === true) return [];
  if (name !== undefined) return [tunnels.get(name)];
  if (all === true || tunnels.all.length === 1) return tunnels.all;
  if (tunnels.all.length === 0) throw new EpmuxError('TUNNEL_NOT_FOUND', 'no tunnel is up');
  const names = tunnels.all.map(({ spec }) => spec.name).join(', ');
  throw new EpmuxError('USAGE', `there are several tunnels: ${names}`, {
    hint: 'name one of them, or pass --all',
  });
}

function supervision(supervised: Supervised | undefined): Partial<DaemonStatus['daemon']> {
  if (supervised === undefined) return {};
  const { supervisor, restarts, lastCrash } = supervised;
  return { supervisor, restarts, lastCrash };
}

function statusOf(daemon: HandledDaemon, tunnels: readonly Tunnel[]): DaemonStatus {
  const { problems } = daemon;
  return {
    daemon: {
      pid: process.pid,
      version: VERSION,
      startedAt: daemon.startedAt,
      ...(problems.length === 0 ? {} : { problems }),
      ...supervision(daemon.supervised),
    },
    tunnels: withinLine(tunnels.map((tunnel) => tunnel.status())),
  };
}

function toMend(supervisor: number | null | undefined): { readonly supervisor?: number | null } {
  return supervisor === undefined ? {} : { supervisor };
}

function supervisionHandlers(
  supervised: Supervised | undefined,
): Pick<ControlHandlers, 'hello' | 'supervise'> {
  return {
    hello: {
      params: object<Params<'hello'>>({}),
      run: () => ({
        version: VERSION,
        pid: process.pid,
        ...toMend(supervised?.supervisorToMend),
      }),
    },
    supervise: {
      params: object<Params<'supervise'>>({
        known: optional(text(128)),
        waitMs: optional(integer(1, MAX_SILENCE_MS)),
      }),
      run(params, { signal }) {
        if (supervised !== undefined) return supervised.answer(params, signal);
        throw new EpmuxError('DAEMON_BUSY', 'a daemon in the foreground is not supervised');
      },
    },
  };
}

function tunnelHandlers(
  daemon: HandledDaemon,
): Pick<ControlHandlers, 'up' | 'down' | 'status' | 'leading' | 'spec'> {
  const { tunnels } = daemon;
  return {
    up: {
      params: object<Params<'up'>>({
        spec: tunnelSpec,
        secrets: upSecrets,
        ahead: optional(herokuAhead),
      }),
      async run({ spec, secrets, ahead }, call) {
        const { tunnel, alreadyUp } = await tunnels.up(spec, secrets, call, ahead);
        return { alreadyUp, tunnel: told(tunnel), leading: daemon.leading };
      },
    },
    down: {
      params: object<Params<'down'>>({
        name: optional(tunnelName),
        all: optional(flag),
        none: optional(flag),
      }),
      run: async (params) => ({ downed: await tunnels.down(toTakeDown(tunnels, params)) }),
    },
    status: {
      params: byName,
      run: ({ name }) => statusOf(daemon, chosen(tunnels, name)),
    },
    leading: {
      params: byName,
      run({ name }) {
        chosen(tunnels, name);
        return daemon.leading;
      },
    },
    spec: {
      params: object<Params<'spec'>>({ name: tunnelName }),
      run: ({ name }) => ({ spec: tunnels.get(name).spec }),
    },
  };
}

function nodeHandlers(daemon: HandledDaemon): Pick<ControlHandlers, 'resolve' | 'ping' | 'exec'> {
  const { tunnels, localCookie, clock } = daemon;
  return {
    resolve: {
      params: object<Params<'resolve'>>({ node: nodeText }),
      run(params) {
        const { node, tunnel } = resolveNode(tunnels.all, params.node);
        return { node, tunnel: tunnel.spec.name, leading: daemon.leading };
      },
    },
    ping: {
      params: object<Params<'ping'>>({
        node: nodeText,
        cookie: optional(text(LONGEST.cookie)),
        timeoutMs: optional(integer(1, MAX_PING_MS)),
      }),
      run: ({ node, cookie, timeoutMs }) =>
        ping(resolveNode(tunnels.all, node), { cookie, timeoutMs, localCookie, clock }),
    },
    exec: {
      params: object<Params<'exec'>>({
        way,
        via: optional(text(LONGEST.via)),
        request: execRequest,
      }),
      async run(params, { signal }) {
        const exec = execOverTunnel(tunnels.all, params);
        const socket = await daemon.execBroker.open(() => exec(params.request, signal));
        return { socket };
      },
    },
  };
}

/** What each method of the control socket does. */
export function controlHandlers(daemon: HandledDaemon): ControlHandlers {
  return {
    ...supervisionHandlers(daemon.supervised),
    ...tunnelHandlers(daemon),
    ...nodeHandlers(daemon),
  };
}
