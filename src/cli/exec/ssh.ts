import { EpmuxError } from '../../protocol/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { createTransport } from '../../transport/create.ts';
import type { Carrier } from '../../transport/transport.ts';
import type { PlainWay } from '../../transport/way.ts';
import type { Io } from '../io.ts';
import { askYesNo } from '../terminal/ask.ts';
import { printable } from '../terminal/printable.ts';

/** No agent is asked for. */
const AGENT_PORT = 9_001;

export interface SshExecOptions {
  readonly way: Extract<PlainWay, { kind: 'ssh' }>;
  readonly via: string | undefined;
  readonly logger: Logger;
  readonly io: Io;
}

/** A connection of the command's own. A host key that is new is shown to who sits there, as `up` does. */
export async function connectSsh(options: SshExecOptions): Promise<Carrier> {
  const { io } = options;
  try {
    return await connect(options, undefined);
  } catch (error) {
    if (!(error instanceof EpmuxError) || error.code !== 'HOST_KEY_UNKNOWN') throw error;
    const fingerprint = error.details?.['fingerprint'];
    if (fingerprint === undefined || !io.interactive) throw error;
    io.talk(printable(error.message));
    if (!(await askYesNo('Is this the right host?', io.interrupted))) throw error;
    return connect(options, fingerprint);
  }
}

function connect(
  { way, via, logger, io }: SshExecOptions,
  acceptHostKey: string | undefined,
): Promise<Carrier> {
  const transport = createTransport(way, {
    agentPort: AGENT_PORT,
    via,
    acceptHostKey,
    sshAuthSock: io.env['SSH_AUTH_SOCK'],
    env: {},
    home: io.env['HOME'],
    clock: systemClock,
    logger,
  });
  return transport.connect(io.interrupted);
}
