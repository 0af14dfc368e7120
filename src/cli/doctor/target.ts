import type { TunnelSpec, TunnelStatus, UpSecrets } from '../../daemon/control/api.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Io } from '../io.ts';
import { formatDuration } from '../terminal/units.ts';
import type { WayInput } from '../way/options.ts';
import { planTunnel, upSecrets } from '../way/plan.ts';
import { laidOver } from '../way/running.ts';
import { namesWay } from '../way/spec.ts';
import { broken, type Check, type Finding, ok, warning } from './check.ts';
import type { DaemonSide } from './local.ts';

export interface TargetContext {
  readonly name: string | undefined;
  readonly input: WayInput;
  readonly daemon: DaemonSide | undefined;
  readonly io: Pick<Io, 'cwd' | 'env'>;
  readonly wallNow: number;
  /** Asks the daemon where a tunnel of its leads. */
  readonly specOf: (name: string, signal: AbortSignal) => Promise<TunnelSpec>;
  /** Learned: the tunnel of that name that the daemon has. */
  running?: TunnelStatus;
  /** Learned: where it leads. */
  spec?: TunnelSpec;
  /** Learned: nothing was laid over the tunnel that runs. */
  isAsItRuns?: boolean;
  /** Learned: what `up` would bring it up with. Secrets. */
  given?: UpSecrets;
}

/**
 * Finds out what is to be checked. A way on the command line stands alone; else a tunnel that runs,
 * with the other options laid over it; else what `up` would take.
 */
export const TARGET_CHECKS: readonly Check<TargetContext>[] = [
  { id: 'target', title: 'target', vital: true, look: lookForTarget },
  { id: 'tunnel', title: 'tunnel', look: lookAtTunnel },
  { id: 'variables', title: 'variables', vital: true, look: lookAtVariables },
];

async function lookForTarget(context: TargetContext, signal: AbortSignal): Promise<Finding> {
  const { name, input, io } = context;
  const isWayNamed = namesWay(input);
  if (!isWayNamed) takeRunning(context);
  const { running } = context;
  try {
    if (running === undefined) {
      context.spec = await planTunnel(name, input, io.cwd, io.env);
      return ok(`${context.spec.name}: ${wayOf(context.spec)}`);
    }
    const itself = await context.specOf(running.name, signal);
    context.spec = laidOver(itself, input, io);
    context.isAsItRuns = context.spec === itself;
    return ok(`${running.name}: ${context.isAsItRuns ? running.target : wayOf(context.spec)}`);
  } catch (error) {
    const isNothingNamed = name === undefined && !isWayNamed && EpmuxError.is(error, 'USAGE');
    if (!isNothingNamed) throw error;
    return warning(`${error.message}: only this machine is checked`, error.hint);
  }
}

function takeRunning(context: TargetContext): void {
  const tunnels = context.daemon?.status.tunnels ?? [];
  const { name } = context;
  const found =
    name === undefined && tunnels.length === 1
      ? tunnels[0]
      : tunnels.find((tunnel) => tunnel.name === name);
  if (found !== undefined) context.running = found;
}

function lookAtTunnel({ running, wallNow }: TargetContext): Finding | undefined {
  if (running === undefined) return undefined;
  const { name, state, since, lastError, nodes, links } = running;
  if (state === 'up') {
    const modes = [...new Set(links.map(({ mode }) => mode))].join(', ');
    const age = formatDuration(Math.max(0, wallNow - Date.parse(since)));
    return ok(
      `up for ${age}, ${modes}, nodes: ${nodes.map((node) => node.name).join(', ') || '-'}`,
    );
  }
  const why = lastError === null ? '' : `: ${lastError.message} (${lastError.code})`;
  return broken(
    new EpmuxError('TUNNEL_DOWN', `${state}${why}`, {
      hint: `what follows shows where it breaks; if all of it is well, \`epmux up ${name}\` tries again`,
    }),
  );
}

/** Says nothing of those that can be read. */
function lookAtVariables(context: TargetContext): undefined {
  const { spec, io } = context;
  if (spec !== undefined) context.given = upSecrets(spec, io.env);
}

function wayOf({ way, via }: TunnelSpec): string {
  const through = via === undefined ? '' : ', through a SOCKS proxy';
  switch (way.kind) {
    case 'heroku':
      return `heroku://${way.app}${way.dynos.length === 0 ? '' : `/${way.dynos.join(',')}`}${through}`;
    case 'ssh':
      return `ssh://${way.user}@${way.host}:${way.port}${through}`;
    case 'connect':
      return `tcp://${way.host}:${way.port}${through}`;
    case 'command':
      return `a command's stdin and stdout`;
  }
}
