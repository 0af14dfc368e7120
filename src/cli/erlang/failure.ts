import { nodePath } from '../../daemon/control/api.ts';
import { fromErrorStatus } from '../../daemon/control/client.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import { withDaemon } from '../daemon.ts';
import type { Io } from '../io.ts';
import type { Host } from './guest.ts';

/** Exit codes by which our scripts in a local Erlang say what failed. */
export const Failure = {
  noObserver: 61,
  noWindow: 62,
  noNode: 63,
  noCompiler: 64,
  connectionLost: 65,
  unknownTerminal: 66,
  noBackend: 67,
} as const;

/** What an exit code of a script stands for; undefined when nothing of the above failed. */
export async function scriptFailure(
  code: number,
  host: Host,
  io: Io,
): Promise<EpmuxError | undefined> {
  const node = host.node.name;
  switch (code) {
    case Failure.noObserver:
      return new EpmuxError('ERLANG_MISSING', 'this Erlang comes without Observer', {
        hint: 'install its packages: erlang-observer and erlang-wx on Debian',
      });
    case Failure.noWindow:
      return new EpmuxError('ERLANG_MISSING', "Observer can't open a window (wx)", {
        hint: 'it needs a display (DISPLAY or WAYLAND_DISPLAY) and an Erlang built with wxWidgets',
      });
    case Failure.noCompiler:
      return new EpmuxError('ERLANG_MISSING', 'this Erlang comes without its compiler', {
        hint: 'a remote shell needs it: install a whole Erlang',
      });
    case Failure.connectionLost:
      return new EpmuxError('NODE_UNREACHABLE', `the connection to ${node} is lost`, {
        hint: 'has the node ended? `epmux status` shows the link to it',
      });
    case Failure.noBackend:
      return new EpmuxError('RUNTIME_TOOLS_MISSING', `${node} comes without runtime_tools`);
    case Failure.noNode:
      return whyNotConnected(host, io);
    default:
      return undefined;
  }
}

/** Erlang only says that it is not connected; a ping of ours knows the reason. */
async function whyNotConnected({ node, tunnel }: Host, io: Io): Promise<EpmuxError> {
  const { error } = await withDaemon(io, (daemon) =>
    daemon.call('ping', { node: nodePath(tunnel, node) }, { signal: io.interrupted }),
  );
  if (error !== null) return fromErrorStatus(error);
  return new EpmuxError('HANDSHAKE_REFUSED', `${node.name} did not take the connection`, {
    hint: 'it answers a ping: is the cookie in ~/.erlang.cookie of this user the one it expects?',
  });
}
