import { isDeepStrictEqual } from 'node:util';
import { EpmuxError } from '../protocol/errors.ts';
import type { TunnelSpec, Way } from './control/api.ts';

/** Files with secrets may be others each time: they are read anew. */
type Option = Exclude<keyof TunnelSpec, 'name' | 'way' | 'secretFile' | 'cookieFile'>;

const OPTIONS: { readonly [O in Option]: string } = {
  via: '--via',
  agent: '--agent',
  agentPort: '--agent-port',
  hiddenOnly: '--hidden-only',
  epmdPort: '--epmd-port',
};

/**
 * TUNNEL_EXISTS where `spec` is not what the tunnel of its name was brought up with, saying what
 * differs.
 */
export function otherTunnel(known: TunnelSpec, spec: TunnelSpec): EpmuxError | undefined {
  const { name } = known;
  if (!isDeepStrictEqual(placeOf(known.way), placeOf(spec.way))) {
    return new EpmuxError('TUNNEL_EXISTS', `the tunnel ${name} leads elsewhere already`);
  }
  const options = Object.entries(OPTIONS) as [Option, string][];
  const others = [
    ...(isDeepStrictEqual(known.way, spec.way)
      ? []
      : [known.way.kind === 'ssh' ? '--identity' : '--dyno']),
    ...options.filter(([key]) => known[key] !== spec[key]).map(([, option]) => option),
  ];
  if (others.length === 0) return undefined;
  return new EpmuxError(
    'TUNNEL_EXISTS',
    `the tunnel ${name} is there already, with another ${others.join(' and another ')}`,
    { hint: `take it down first with \`epmux down ${name}\`, or give this one a name of its own` },
  );
}

/** Without what only says how it leads there. */
function placeOf(way: Way): unknown {
  if (way.kind === 'heroku') return { ...way, dynos: [] };
  return way.kind === 'ssh' ? { ...way, identityFile: '' } : way;
}
