import { EpmuxError } from '../protocol/errors.ts';
import type { NodeStatus } from './control/api.ts';
import { splitNodeName } from './names.ts';
import type { Tunnel } from './tunnel.ts';

export interface FoundNode {
  readonly node: NodeStatus;
  readonly tunnel: Tunnel;
}

/** Candidates that a message names. */
const MOST_NAMED = 20;

type Fits = (found: FoundNode, wanted: string) => boolean;

/** What a NODE may be, the most exact first: the first that anything fits decides. */
const READINGS: readonly Fits[] = [
  ({ node }, wanted) => node.name === wanted,
  ({ node }, wanted) => splitNodeName(node.name).short === wanted,
  ({ node, tunnel }, wanted) => node.dyno === wanted || tunnel.spec.name === wanted,
];

/** Where there is none at all it is the tunnels that tell why. */
const SEE_STATUS = '`epmux status` shows the tunnels, and why there is none';

/** Whether it is a tunnel, or a dyno of one. */
function isKnown(tunnels: readonly Tunnel[], wanted: string): boolean {
  return tunnels.some((tunnel) => {
    const { name, links } = tunnel.status();
    return name === wanted || links.some(({ dyno }) => dyno === wanted);
  });
}

function theOne(candidates: readonly FoundNode[], wanted: string | undefined): FoundNode {
  const [first, second] = candidates;
  if (first === undefined) {
    throw new EpmuxError('NODE_UNREACHABLE', 'there is no node', { hint: SEE_STATUS });
  }
  if (second === undefined) return first;
  // Of two tunnels to one node, the one that local nodes are led through.
  const reachable = candidates.filter(({ node }) => node.unreachable === undefined);
  const names = new Set(candidates.map(({ node }) => node.name));
  if (names.size === 1) return reachable[0] ?? first;
  const list = candidates
    .slice(0, MOST_NAMED)
    .map(({ node, tunnel }) => `${node.name} (${node.dyno ?? tunnel.spec.name})`);
  const more = candidates.length - list.length;
  if (more > 0) list.push(`and ${more} more`);
  throw new EpmuxError(
    'NODE_AMBIGUOUS',
    `${wanted === undefined ? 'there are several nodes' : `${wanted} may be several nodes`}: ${list.join(', ')}`,
  );
}

/**
 * A full name, its part before `@`, a dyno or tunnel, or nothing when there is only one. NODE_NOT_FOUND, NODE_AMBIGUOUS; NODE_UNREACHABLE where nothing is
 * wanted, or a tunnel or a dyno of one, and no node is there.
 */
export function resolveNode(tunnels: readonly Tunnel[], wanted: string | undefined): FoundNode {
  const all = tunnels.flatMap((tunnel) =>
    tunnel.status().nodes.map((node): FoundNode => ({ node, tunnel })),
  );
  if (wanted === undefined) return theOne(all, undefined);
  for (const fits of READINGS) {
    const found = all.filter((candidate) => fits(candidate, wanted));
    if (found.length > 0) return theOne(found, wanted);
  }
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
