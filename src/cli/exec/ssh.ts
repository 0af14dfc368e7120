import { systemClock } from '../../runtime/clock.ts';
import { homeFolder } from '../../runtime/home.ts';
import type { Logger } from '../../runtime/logger.ts';
import { createTransport } from '../../transport/create.ts';
import type { Carrier } from '../../transport/transport.ts';
import type { PlainWay } from '../../transport/way.ts';
import type { Io } from '../io.ts';
import { withHostKeyAccepted } from '../way/new-host-key.ts';

export interface SshExecOptions {
  readonly way: Extract<PlainWay, { kind: 'ssh' }>;
  readonly via: string | undefined;
  readonly logger: Logger;
  readonly io: Io;
}

/**
 * A connection of the command's own. A host key that is new is shown to who sits there, as `up`
 * does.
 */
export function connectSsh({ way, via, logger, io }: SshExecOptions): Promise<Carrier> {
  return withHostKeyAccepted(io, (accepted) => {
    const transport = createTransport(way, {
      via,
      ...accepted,
      sshAuthSock: io.env['SSH_AUTH_SOCK'],
      env: {},
      home: homeFolder(io.env),
      clock: systemClock,
      logger,
    });
    return transport.connect(io.interrupted);
  });
}
