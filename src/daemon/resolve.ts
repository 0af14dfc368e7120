import { EpmuxError } from '../protocol/errors.ts';
import type { NodeStatus } from './control/api.ts';
import { splitNodeName } from './names.ts';
import type { Tunnel } from './tunnel.ts';

export interface FoundNode {
  readonly node: NodeStatus;
  readonly tunnel: Tunnel;
}

/** Candidates that a message names. */
const MAX_NAMED = 20;

type Fits = (found: FoundNode, wanted: string) => boolean;

function isPlace(wanted: string, dyno: string | null, tunnel: string): boolean {
  return dyno === wanted || tunnel === wanted;
}

/** What a NODE may be, the most exact first: the first that anything fits decides. */
const READINGS: readonly Fits[] = [
  ({ node }, wanted) => node.name === wanted,
  ({ node }, wanted) => splitNodeName(node.name).short === wanted,
  ({ node, tunnel }, wanted) => isPlace(wanted, node.dyno, tunnel.spec.name),
];

/** Where there is none at all it is the tunnels that tell why. */
const SEE_STATUS = '`epmux status` shows the tunnels, and why there is none';

/** Whether it is a tunnel, or a dyno of one. */
function isKnown(tunnels: readonly Tunnel[], wanted: string): boolean {
  return tunnels.some((tunnel) => {
    const { name, links } = tunnel.status();
    return (
      name === wanted ||
      links.some(({ dyno }) => dyno !== null && [dyno, `${name}/${dyno}`].includes(wanted))
    );
  });
}

/** Where it is, as a person may write it before `/NODE`. */
function placeOf({ node, tunnel }: FoundNode, isOneTunnel: boolean): string {
  const { name } = tunnel.spec;
  if (node.dyno === null) return name;
  return isOneTunnel ? node.dyno : `${name}/${node.dyno}`;
}

function theOne(candidates: readonly FoundNode[], wanted: string | undefined): FoundNode {
  const [first, second] = candidates;
  if (first === undefined) {
    throw new EpmuxError('NODE_UNREACHABLE', 'there is no node', { hint: SEE_STATUS });
  }
  if (second === undefined) return first;
  const isOneTunnel = candidates.every(({ tunnel }) => tunnel === first.tunnel);
  const list = candidates
    .slice(0, MAX_NAMED)
    .map((found) => `${found.node.name} (${placeOf(found, isOneTunnel)})`);
  const more = candidates.length - list.length;
  if (more > 0) list.push(`and ${more} more`);
  throw new EpmuxError(
    'NODE_AMBIGUOUS',
    `${wanted === undefined ? 'there are several nodes' : `${wanted} may be several nodes`}: ${list.join(', ')}`,
  );
}

/** Those that the most exact reading fits; of `PLACE/NODE` those in that tunnel or dyno. */
function fitting(all: readonly FoundNode[], wanted: string): readonly FoundNode[] {
  for (const fits of READINGS) {
    const found = all.filter((candidate) => fits(candidate, wanted));
    if (found.length > 0) return found;
  }
  const [, place, rest] = /^([^/]+)\/(.+)$/s.exec(wanted) ?? [];
  if (place === undefined || rest === undefined) return [];
  const there = all.filter(({ node, tunnel }) => isPlace(place, node.dyno, tunnel.spec.name));
  return there.length === 0 ? [] : fitting(there, rest);
}

/**
 * A full name, its part before `@`, a dyno or tunnel, any of these behind the dyno or tunnel that
 * it is in and a `/`, or nothing when there is only one. NODE_NOT_FOUND, NODE_AMBIGUOUS;
 * NODE_UNREACHABLE where nothing is wanted, or a tunnel or a dyno of one, and no node is there.
 */
export function resolveNode(tunnels: readonly Tunnel[], wanted: string | undefined): FoundNode {
  const all = tunnels.flatMap((tunnel) =>
    tunnel.status().nodes.map((node): FoundNode => ({ node, tunnel })),
  );
  if (wanted === undefined) return theOne(all, undefined);
  const found = fitting(all, wanted);
  if (found.length > 0) return theOne(found, wanted);
  if (isKnown(tunnels, wanted)) {
    throw new EpmuxError('NODE_UNREACHABLE', `no node is there behind ${wanted}`, {
      hint: SEE_STATUS,
    });
  }
  throw new EpmuxError(
    'NODE_NOT_FOUND',
    `there is no node ${wanted}`,
    all.length === 0 ? { hint: SEE_STATUS } : {},
  );
}
