import { randomBytes } from 'node:crypto';
import type { Leading, NodeStatus } from '../../daemon/control/api.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import { withDaemon } from '../daemon.ts';
import type { Io } from '../io.ts';
import { printable } from '../terminal/printable.ts';

export interface Host {
  readonly node: NodeStatus;
  readonly tunnel: string;
  readonly leading: Leading;
}

/**
 * NODE as the person wrote it, found by the daemon; a node whose link is away is told, since the
 * shell will wait for it.
 */
export async function resolveHost(node: string | undefined, io: Io): Promise<Host> {
  const host = await withDaemon(io, (daemon) =>
    daemon.call('resolve', node === undefined ? {} : { node }, { signal: io.interrupted }),
  );
  const { name, state, unreachable } = host.node;
  if (unreachable !== undefined) {
    throw new EpmuxError('NODE_UNREACHABLE', `${name} can't be reached: ${unreachable}`, {
      hint: '`epmux ping` needs no name here; `epmux doctor` says whether another address helps',
    });
  }
  if (state === 'stale') io.talk(`the link to ${printable(name)} is away: waiting for it`);
  return host;
}

/**
 * The flag and name of a local node that may connect to `node`: unlike any other's, and long when
 * the other's is (a host part with a dot), since short and long names do not talk to each other. It
 * begins with `remsh`: libraries that spread work over all connected nodes, hidden ones too, leave
 * those alone (Swarm, libring, sworm: `node_blacklist`).
 */
export function guestName(node: string): readonly [flag: '--name' | '--sname', name: string] {
  const host = node.slice(node.indexOf('@') + 1);
  const name = `remsh-epmux-${randomBytes(4).toString('hex')}`;
  return host.includes('.') ? ['--name', `${name}@127.0.0.1`] : ['--sname', name];
}
