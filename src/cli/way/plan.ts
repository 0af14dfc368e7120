import { dirname } from 'node:path';
import type { TunnelSpec, UpSecrets } from '../../daemon/control/api.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import { didYouMean } from '../../runtime/spelling.ts';
import { type ConfigurationFile, loadConfiguration } from '../config/file.ts';
import type { Environment } from '../io.ts';
import type { WayInput } from './options.ts';
import { type Label, namesWay, optionLabel, tunnelSpec, withAbsolutePaths } from './spec.ts';

/**
 * Which tunnel `up` is about. A way on the command line stands alone; otherwise the tunnel comes from the configuration
 * file, and what else the command line says wins over it. Throws USAGE, CONFIG_INVALID or TUNNEL_NOT_FOUND.
 */
export function planTunnel(
  name: string | undefined,
  input: WayInput,
  cwd: string,
  env: Environment,
): TunnelSpec {
  const spoken = withAbsolutePaths(input, cwd);
  if (namesWay(input)) return tunnelSpec(name, spoken, optionLabel);
  const file = loadConfiguration(cwd, env);
  const [chosen, written] = chooseConfigured(name, file);
  const folder = dirname(file?.path ?? cwd);
  const configured = withAbsolutePaths(written, folder);
  const keyLabel: Label = (key) => `${key} in [tunnels.${chosen}]`;
  assertConfigured(chosen, configured, keyLabel, file?.path ?? '');
  const merged = { ...configured, ...definedOnly(spoken) };
  return tunnelSpec(chosen, merged, (key) =>
    spoken[key] === undefined ? keyLabel(key) : optionLabel(key),
  );
}

export function upSecrets(spec: TunnelSpec, env: Environment): UpSecrets {
  const secret = env['EPMUX_SECRET'];
  const cookie = env['EPMUX_COOKIE'];
  const sshAuthSock = env['SSH_AUTH_SOCK'];
  return {
    ...(secret && spec.secretFile === undefined ? { secret } : {}),
    ...(cookie && spec.cookieFile === undefined ? { cookie } : {}),
    ...(sshAuthSock ? { sshAuthSock } : {}),
  };
}

function chooseConfigured(
  name: string | undefined,
  file: ConfigurationFile | undefined,
): [string, WayInput] {
  const tunnels = file?.configuration.tunnels ?? {};
  const names = Object.keys(tunnels);
  const chosen = name ?? (names.length === 1 ? names[0] : undefined);
  const configured = chosen === undefined ? undefined : tunnels[chosen];
  if (chosen !== undefined && configured !== undefined) return [chosen, configured];
  const ways = 'give --ssh, --connect or --command';
  if (chosen !== undefined) {
    const where = file === undefined ? 'there is no epmux.toml' : `${file.path} has none`;
    const message = `no tunnel ${chosen} is configured (${where})${didYouMean(chosen, names)}`;
    throw new EpmuxError('TUNNEL_NOT_FOUND', message, {
      hint: `${ways}, or write [tunnels.${chosen}] into epmux.toml`,
    });
  }
  if (names.length > 1) {
    throw new EpmuxError('USAGE', 'several tunnels are configured and none is named', {
      hint: `name one of ${names.join(', ')}`,
    });
  }
  throw new EpmuxError('USAGE', 'it is not said where the tunnel leads', {
    hint: `${ways}, or write a [tunnels.NAME] into epmux.toml`,
  });
}

function assertConfigured(name: string, input: WayInput, label: Label, path: string): void {
  try {
    tunnelSpec(name, input, label);
  } catch (cause) {
    if (!(cause instanceof EpmuxError)) throw cause;
    throw new EpmuxError('CONFIG_INVALID', `${path}: ${cause.message}`, {
      cause,
      hint: cause.hint,
    });
  }
}

function definedOnly(input: WayInput): WayInput {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
}
