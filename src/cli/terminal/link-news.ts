import type { LinkStatus, TunnelStatus } from '../../daemon/control/api.ts';
import { fromErrorStatus } from '../../daemon/control/client.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import { hintLine } from '../report.ts';
import { printable } from './printable.ts';
import type { Paint } from './style.ts';

/**
 * What `up` says of the links that are not up although a node can be reached: a person is needed,
 * perhaps, and sits there.
 */
export function linkWarnings({ links }: TunnelStatus, paint: Paint): readonly string[] {
  return links.filter(({ state }) => state !== 'up').flatMap((link) => linkWarning(link, paint));
}

function linkWarning({ dyno, state, lastError }: LinkStatus, paint: Paint): readonly string[] {
  const lead = paint('yellow', 'warning:');
  const what = `${printable(dyno ?? 'the link')} is ${state}`;
  if (lastError === undefined) return [`${lead} ${what}`];
  const { message, code, hint } = fromErrorStatus(lastError);
  return [`${lead} ${what}: ${printable(message)} (${code})`, hintLine(hint, paint)];
}

/**
 * The daemon has waited for nodes as long as is worth it: the tunnel stays, and the person learns
 * what is missing.
 */
export function assertNodes(tunnel: TunnelStatus): void {
  if (tunnel.nodes.length > 0) return;
  const { name, state, lastError } = tunnel;
  if (state !== 'up') {
    if (lastError === null) throw new EpmuxError('TUNNEL_DOWN', `${name} is ${state}`);
    const { message, hint } = fromErrorStatus(lastError);
    throw new EpmuxError('TUNNEL_DOWN', `${name} is ${state}: ${message}`, { hint });
  }
  const stays = `${name} is up and stays up, but`;
  const untold = whyUntold(tunnel);
  if (untold?.code === 'NO_EPMD') {
    throw new EpmuxError('NO_EPMD', `${stays} no epmd answers there`);
  }
  if (untold !== undefined) {
    throw untold.with({ message: `${stays} its nodes are not known: ${untold.message}` });
  }
  const portless = tunnel.links.find((link) => link.portless !== undefined)?.portless;
  if (portless !== undefined) {
    throw new EpmuxError('NODE_UNREACHABLE', `${stays} there is no local port for ${portless}`, {
      hint: 'it is tried again every few seconds; `epmux logs` shows each node that has none',
    });
  }
  throw new EpmuxError('NODE_UNREACHABLE', `${stays} no node is registered with the epmd there`, {
    hint: 'start the app with --sname or --name; `epmux nodes` shows it as soon as it is there',
  });
}

/** Where no epmd of all that can be reached tells its nodes. */
function whyUntold({ links }: TunnelStatus): EpmuxError | undefined {
  const errors = links.filter(({ state }) => state === 'up').map(({ epmdError }) => epmdError);
  const [first] = errors;
  if (first === undefined || errors.includes(undefined)) return undefined;
  return fromErrorStatus(first);
}
