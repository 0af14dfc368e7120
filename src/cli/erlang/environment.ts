import type { Leading } from '../../daemon/control/api.ts';
import type { Environment } from '../../runtime/environment.ts';

/**
 * What leads a local node to the tunnels' nodes, and nothing else: names are looked up in the
 * inetrc, ports asked of our epmd.
 */
export function leadingVariables(leading: Leading): Record<'ERL_INETRC' | 'ERL_EPMD_PORT', string> {
  return { ERL_INETRC: leading.inetrc, ERL_EPMD_PORT: String(leading.epmdPort) };
}

/**
 * The environment of a shell or observer that epmux starts: it also listens nowhere, so it is
 * hidden and registers nowhere. An Erlang too old to know the flag ignores it; the daemon hides
 * such a node all the same.
 */
export function guestEnvironment(env: Environment, leading: Leading): Record<string, string> {
  const flags = env['ERL_AFLAGS'] ?? '';
  const listenFlag = flags.includes('-dist_listen') ? '' : '-dist_listen false';
  const inherited = Object.entries(env).filter((entry): entry is [string, string] => {
    return entry[1] !== undefined && !SECRETS.has(entry[0]);
  });
  return {
    ...Object.fromEntries(inherited),
    ...leadingVariables(leading),
    ERL_AFLAGS: [flags, listenFlag].filter((part) => part !== '').join(' '),
  };
}

/** They are epmux's own; a shell that runs for hours has no use for them. */
const SECRETS: ReadonlySet<string> = new Set(['EPMUX_SECRET', 'EPMUX_COOKIE']);
