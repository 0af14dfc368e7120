import { isIP } from 'node:net';
import type { NodeStatus, TunnelStatus } from '../../daemon/control/api.ts';
import { LOOPBACK } from '../../runtime/address.ts';
import { type Finding, ok, warning } from './check.ts';

const LAST = 254;

/**
 * Whether there are addresses for hosts; and where a node of the daemon got none, whether it would
 * get one now.
 */
export async function lookAtLoopback(
  canListen: (address: string) => Promise<boolean>,
  tunnels: readonly TunnelStatus[],
): Promise<Finding> {
  const nodes = tunnels.flatMap((tunnel) => tunnel.nodes);
  const tunnel = tunnels.find((one) => one.nodes.some((node) => needsAddress(node, nodes)));
  const node = tunnel?.nodes.find((one) => needsAddress(one, nodes));
  const address = node === undefined ? '127.0.0.2' : firstUnused(nodes);
  const isThere = await canListen(address);
  const add = `\`sudo ifconfig lo0 alias ${address}\` (macOS) adds an address`;
  if (tunnel === undefined || node === undefined) {
    if (isThere) return ok(`${address} can be listened on`);
    return warning(
      'only 127.0.0.1 can be listened on',
      `nodes with one name before the @ on two hosts can’t both be reached: ${add}`,
    );
  }
  const again = `take the tunnel ${tunnel.name} down and up again`;
  return warning(
    `${node.name}: ${node.unreachable}`,
    isThere ? `${address} is free for its host: ${again}` : `${add}; then ${again}`,
  );
}

/** Its name is another's on 127.0.0.1, and its host would do with an address of its own. */
function needsAddress(node: NodeStatus, nodes: readonly NodeStatus[]): boolean {
  const host = /@(.+)$/.exec(node.name)?.[1] ?? 'localhost';
  if (node.unreachable === undefined || node.address !== LOOPBACK) return false;
  if (host === 'localhost' || isIP(host) > 0) return false;
  return !nodes.some(({ name, unreachable }) => name === node.name && unreachable === undefined);
}

function firstUnused(nodes: readonly NodeStatus[]): string {
  const used = new Set(nodes.map(({ address }) => address));
  for (let last = 2; last < LAST; last += 1) {
    if (!used.has(`127.0.0.${last}`)) return `127.0.0.${last}`;
  }
  return `127.0.0.${LAST}`;
}
