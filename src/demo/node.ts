import type { Cleanup } from './cleanup.ts';
import { type Erlang, findErlang } from './erlang.ts';
import { startErlangNode } from './erlang-node.ts';
import { startStandInEpmd } from './stand-in-epmd.ts';
import { type StandInNode, startStandInNode } from './stand-in-node.ts';

export interface NodeOptions {
  /** The dyno's home folder, with its cookie. */
  readonly home: string;
  readonly name: string;
  readonly cookie: string;
  readonly interrupted: AbortSignal;
  readonly cleanup: Cleanup;
}

/** The app's node in the embedded dyno, registered with an epmd of its own. */
export type DemoNode =
  | { readonly kind: 'erlang'; readonly epmdPort: number; readonly erlang: Erlang }
  | { readonly kind: 'stand-in'; readonly epmdPort: number; readonly standIn: StandInNode };

/** A real node where this machine has an Erlang, else (or if so wished) the stand-in. */
export async function startNode(options: NodeOptions, standIn: boolean): Promise<DemoNode> {
  const erlang = standIn ? undefined : await findErlang();
  if (erlang === undefined) return startStandIn(options);
  return { kind: 'erlang', epmdPort: await startErlangNode(erlang, options), erlang };
}

async function startStandIn(options: NodeOptions): Promise<DemoNode> {
  const { name, cookie, cleanup } = options;
  const standIn = await startStandInNode(name, cookie);
  cleanup.add('the node', () => standIn.close());
  const epmd = await startStandInEpmd(name.split('@')[0] ?? name, standIn.port);
  cleanup.add('epmd', () => epmd.close());
  return { kind: 'stand-in', epmdPort: epmd.port, standIn };
}
