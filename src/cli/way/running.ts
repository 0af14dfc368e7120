import { TUNNEL_NAME, type TunnelSpec } from '../../daemon/control/api.ts';
import type { ControlClient } from '../../daemon/control/client.ts';
import { EpmuxError, type ErrorCode } from '../../protocol/errors.ts';
import { withDaemon } from '../daemon.ts';
import type { Io } from '../io.ts';
import { WAY_OPTIONS, type WayInput } from './options.ts';
import { planTunnel } from './plan.ts';

const OPTIONS = Object.keys(WAY_OPTIONS) as (keyof WayInput)[];

/** What `planTunnel` finds; without any option NAME may also be a tunnel that runs, whatever brought it up. Throws what that throws. */
export async function planOrRunning(
  name: string | undefined,
  input: WayInput,
  io: Io,
): Promise<TunnelSpec> {
  try {
    return await planTunnel(name, input, io.cwd, io.env);
  } catch (error) {
    if (!(error instanceof EpmuxError) || error.code !== 'TUNNEL_NOT_FOUND') throw error;
    const isAlone = OPTIONS.every((key) => input[key] === undefined);
    const spec = isAlone && name !== undefined ? await runningSpec(name, io) : undefined;
    if (spec === undefined) throw error;
    return spec;
  }
}

/** Where the tunnel of that name leads which the daemon has; without a name the only one. Undefined: it has none, or there is no daemon to ask. */
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
    if (error instanceof EpmuxError && NO_TUNNEL.has(error.code)) return undefined;
    throw error;
  }
}

const NO_TUNNEL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...(['DAEMON_NOT_RUNNING', 'DAEMON_BUSY', 'TUNNEL_NOT_FOUND', 'CONTROL_PROTOCOL'] as const),
]);
