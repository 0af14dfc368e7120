import type { Erlang } from './erlang.ts';
import { type NodeOptions, startErlangNode } from './erlang-node.ts';
import { startStandInEpmd } from './stand-in-epmd.ts';
import { type StandInNode, startStandInNode } from './stand-in-node.ts';

/** The app's node in a dyno, registered with an epmd of its own. */
export interface DemoNode {
  readonly epmdPort: number;
  /** Undefined: it is a real one. */
  readonly standIn: StandInNode | undefined;
}

/** A real node, or without an Erlang the stand-in. */
export async function startNode(
  erlang: Erlang | undefined,
  options: NodeOptions,
): Promise<DemoNode> {
  if (erlang === undefined) return startStandIn(options);
  return { epmdPort: await startErlangNode(erlang, options), standIn: undefined };
}

async function startStandIn(options: NodeOptions): Promise<DemoNode> {
  const { name, cookie, cleanup } = options;
  const standIn = await startStandInNode(name, cookie);
  cleanup.add('the node', () => standIn.close());
  const epmd = await startStandInEpmd(name.split('@')[0] ?? name, standIn.port);
  cleanup.add('epmd', () => epmd.close());
  return { epmdPort: epmd.port, standIn };
}
