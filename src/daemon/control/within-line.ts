import { printable } from '../../protocol/text.ts';
import type { ErrorStatus, LinkStatus, NodeStatus, TunnelStatus } from './api.ts';
import { MAX_LINE_BYTES } from './wire.ts';

/** The rest of a line is for what is told of the daemon itself. */
const MAX_BYTES = MAX_LINE_BYTES - 65_536;
/** Of a text that may be a dyno's. */
const MAX_CHARACTERS = 2_000;

/**
 * What tunnels are, so that it fits into one line of the control socket whatever their dynos say:
 * texts are cut, and when there is too much, each tunnel tells the same number of nodes at most,
 * and how many it leaves out.
 */
export function withinLine(tunnels: readonly TunnelStatus[]): readonly TunnelStatus[] {
  const all = tunnels.map(withCutTexts);
  let most = Math.max(0, ...all.map(({ nodes }) => nodes.length));
  let told = all;
  while (most > 0 && Buffer.byteLength(JSON.stringify(told)) > MAX_BYTES) {
    most = Math.floor(most / 2);
    told = all.map((tunnel) => withNodes(tunnel, most));
  }
  return told;
}

function withNodes(tunnel: TunnelStatus, most: number): TunnelStatus {
  const { nodes } = tunnel;
  if (nodes.length <= most) return tunnel;
  return { ...tunnel, nodes: nodes.slice(0, most), nodesLeftOut: nodes.length - most };
}

function withCutTexts(tunnel: TunnelStatus): TunnelStatus {
  const { lastError, links, nodes } = tunnel;
  return {
    ...tunnel,
    lastError: lastError === null ? null : cutError(lastError),
    links: links.map(cutLink),
    nodes: nodes.map(cutNode),
  };
}

function cutError(error: ErrorStatus): ErrorStatus {
  const { message, hint } = error;
  return { ...error, message: cut(message), ...(hint === undefined ? {} : { hint: cut(hint) }) };
}

function cutLink(link: LinkStatus): LinkStatus {
  const { whyDirect, lastError, epmdError, portless } = link;
  return {
    ...link,
    whyDirect: whyDirect === null ? null : cut(whyDirect),
    ...(lastError === undefined ? {} : { lastError: cutError(lastError) }),
    ...(epmdError === undefined ? {} : { epmdError: cutError(epmdError) }),
    ...(portless === undefined ? {} : { portless: cut(portless) }),
  };
}

function cutNode(node: NodeStatus): NodeStatus {
  return node.lastCut === undefined ? node : { ...node, lastCut: cutError(node.lastCut) };
}

function cut(text: string): string {
  return printable(text.slice(0, MAX_CHARACTERS));
}
