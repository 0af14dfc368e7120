import type { Cleanup } from './cleanup.ts';
import type { Erlang } from './erlang.ts';
import { startErlangNode } from './erlang-node.ts';
import { startStandInEpmd } from './stand-in-epmd.ts';
import { type StandInNode, startStandInNode } from './stand-in-node.ts';

export interface NodeOptions {
  /** The dyno's home folder, with its cookie. */
  readonly home: string;
  readonly name: string;
  /** `web.1`, as Heroku tells it to what runs in a dyno. */
  readonly dyno: string;
  readonly cookie: string;
  readonly interrupted: AbortSignal;
  readonly cleanup: Cleanup;
}

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
