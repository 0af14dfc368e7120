import { TUNNEL_NAME, type TunnelSpec, type Way } from '../../daemon/control/api.ts';
import type { ControlClient } from '../../daemon/control/client.ts';
import { daemonPaths } from '../../daemon/paths.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import { hostPort } from '../../runtime/address.ts';
import type { Environment } from '../../runtime/environment.ts';
import { withDaemon } from '../daemon.ts';
import type { Io } from '../io.ts';
import { WAY_OPTIONS, type WayInput } from './options.ts';
import { definedOnly, planTunnel } from './plan.ts';
import { optionLabel, tunnelSpec, withAbsolutePaths } from './spec.ts';

const OPTIONS = Object.keys(WAY_OPTIONS) as (keyof WayInput)[];

/**
 * What `planTunnel` finds; without any option also the tunnel of that name, or the only one, which
 * runs or would come back with the daemon, whatever brought it up. Throws what that throws.
 */
export async function planOrRunning(
  name: string | undefined,
  input: WayInput,
  io: Io,
): Promise<TunnelSpec> {
  try {
    return await planTunnel(name, input, io.cwd, io.env);
  } catch (error) {
    if (!(saysNothing(input) && isUntold(error, name))) throw error;
    const spec = (await runningSpec(name, io)) ?? (await writtenSpec(name, io.env));
    if (spec === undefined) throw error;
    return spec;
  }
}

/** Neither the command line nor a file nor a git remote says where it leads. */
function isUntold(error: unknown, name: string | undefined): boolean {
  if (name !== undefined) return EpmuxError.is(error, 'TUNNEL_NOT_FOUND');
  return EpmuxError.is(error, 'USAGE') && error.details?.['unsaid'] === 'way';
}

async function writtenSpec(
  name: string | undefined,
  env: Environment,
): Promise<TunnelSpec | undefined> {
  const { writtenDown } = await import('../../daemon/written-down.ts');
  const tunnels = writtenDown(daemonPaths(env));
  if (name !== undefined) return tunnels.find((spec) => spec.name === name);
  if (tunnels.length < 2) return tunnels[0];
  const names = tunnels.map((spec) => spec.name).join(', ');
  throw new EpmuxError('USAGE', `several tunnels were up and none is named: ${names}`, {
    hint: 'name one of them: all of them come back with it',
  });
}

/**
 * The tunnel that runs, with what the command line says beside its way laid over it; itself where
 * that is nothing. Throws USAGE.
 */
export function laidOver(
  running: TunnelSpec,
  input: WayInput,
  { cwd, env }: Pick<Io, 'cwd' | 'env'>,
): TunnelSpec {
  if (saysNothing(input)) return running;
  const spoken = definedOnly(withAbsolutePaths(input, cwd, env));
  return tunnelSpec(running.name, { ...inputOf(running), ...spoken }, optionLabel);
}

function saysNothing(input: WayInput): boolean {
  return OPTIONS.every((key) => input[key] === undefined);
}

/** The options that lead where the tunnel does. */
function inputOf({ way, secretFile, cookieFile, ...spec }: TunnelSpec): WayInput {
  return {
    ...wayInputOf(way),
    via: spec.via,
    agent: spec.agent,
    'agent-port': spec.agentPort,
    'epmd-port': spec.epmdPort,
    'secret-file': secretFile,
    'cookie-file': cookieFile,
    'hidden-only': spec.hiddenOnly,
  };
}

function wayInputOf(way: Way): WayInput {
  switch (way.kind) {
    case 'heroku':
      return { app: way.app, dyno: way.dynos.length === 0 ? undefined : way.dynos };
    case 'ssh':
      return { ssh: `${way.user}@${hostPort(way)}`, identity: way.identityFile };
    case 'connect':
      return { connect: hostPort(way) };
    case 'command':
      return { command: way.command };
  }
}

/**
 * Where the tunnel of that name leads which the daemon has; without a name the only one. Undefined:
 * it has none, or there is no daemon to ask.
 */
export async function runningSpec(
  name: string | undefined,
  io: Pick<Io, 'env' | 'interrupted'>,
): Promise<TunnelSpec | undefined> {
  if (name !== undefined && !TUNNEL_NAME.test(name)) return undefined;
  const bounds = { signal: io.interrupted };
  const ask = async (daemon: ControlClient): Promise<TunnelSpec | undefined> => {
    if (name !== undefined) return (await daemon.call('spec', { name }, bounds)).spec;
    const [only, ...others] = (await daemon.call('status', {}, bounds)).tunnels;
    if (only === undefined || others.length > 0) return undefined;
    return (await daemon.call('spec', { name: only.name }, bounds)).spec;
  };
  try {
    return await withDaemon(io, ask);
  } catch (error) {
    if (EpmuxError.is(error, ...NO_TUNNEL)) return undefined;
    throw error;
  }
}

const NO_TUNNEL = [
  'DAEMON_NOT_RUNNING',
  'DAEMON_BUSY',
  'TUNNEL_NOT_FOUND',
  'CONTROL_PROTOCOL',
] as const;
