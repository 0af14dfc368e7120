import { isDeepStrictEqual } from 'node:util';
import { isSelected } from '../../heroku/formation.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Carrier } from '../../transport/transport.ts';
import type { ExecParams, LinkState, TunnelSpec, Way } from '../control/api.ts';

/** What of a tunnel counts here. */
export interface ExecTunnel {
  readonly spec: Pick<TunnelSpec, 'way' | 'via'>;
  /** Of every dyno that is up. */
  readonly ends: readonly ExecEnd[];
}

export interface ExecEnd {
  readonly dyno: { readonly name: string | null };
  readonly state: LinkState;
  /** Over the connection that is there. */
  readonly exec: Carrier['exec'];
}

const FIRST_DYNO = 'web.1';

/**
 * Runs commands where a connection of the command's own would lead, over a tunnel's connection.
 * Throws TUNNEL_NOT_FOUND when none that is up leads there: whether there is a tunnel must not
 * change where a command runs.
 */
export function execOverTunnel(
  tunnels: readonly ExecTunnel[],
  params: Pick<ExecParams, 'way' | 'via'>,
): NonNullable<Carrier['exec']> {
  for (const tunnel of tunnels) {
    if (!leadsThere(tunnel.spec, params)) continue;
    const end = chosenEnd(tunnel, params.way);
    if (end?.state === 'up' && end.exec !== undefined) return end.exec;
  }
  throw new EpmuxError('TUNNEL_NOT_FOUND', 'no tunnel that is up leads there over SSH');
}

function leadsThere(spec: ExecTunnel['spec'], { way, via }: Pick<ExecParams, 'way' | 'via'>) {
  if (spec.via !== via) return false;
  if (spec.way.kind === 'heroku' || way.kind === 'heroku') {
    return spec.way.kind === 'heroku' && way.kind === 'heroku' && spec.way.app === way.app;
  }
  return isDeepStrictEqual(spec.way, way);
}

/** The one that is meant, whatever state its link is in: another dyno is no way out. */
function chosenEnd({ spec, ends }: ExecTunnel, way: Way): ExecEnd | undefined {
  const selectors = way.kind === 'heroku' ? way.dynos : [];
  const meant = ends
    .filter((end) => isSelected(nameOf(end), selectors))
    .toSorted((a, b) => nameOf(a).localeCompare(nameOf(b), 'en', { numeric: true }));
  const [only = FIRST_DYNO] = selectors.length === 1 ? selectors : [];
  const certain = meant.find((end) => nameOf(end) === FIRST_DYNO || nameOf(end) === only);
  return certain ?? (knowsAll(spec.way, selectors) ? meant[0] : undefined);
}

/** The tunnel leads to every dyno that the selectors mean. */
function knowsAll(way: Way, selectors: readonly string[]): boolean {
  if (way.kind !== 'heroku' || way.dynos.length === 0) return true;
  return selectors.length > 0 && selectors.every((selector) => way.dynos.includes(selector));
}

function nameOf(end: ExecEnd): string {
  return end.dyno.name ?? '';
}
