import { join } from 'node:path';
import type { Clock } from '../../../src/runtime/clock.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { type Logger, silentLogger } from '../../../src/runtime/logger.ts';
import { createTransport } from '../../../src/transport/create.ts';
import type { Carrier } from '../../../src/transport/transport.ts';
import type { TestSshd } from '../../support/sshd.ts';

/** What a test changes of a person's `epmux up --ssh`. */
export interface SshChoices {
  readonly user?: string;
  readonly port?: number;
  readonly agentPort?: number;
  readonly identityFile?: string | undefined;
  readonly sshAuthSock?: string;
  readonly acceptHostKey?: string | undefined;
  readonly home?: string;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

/** Where the person's `.ssh` is, unless the test says otherwise. */
function homeOf(sshd: TestSshd): string {
  return join(sshd.folder, 'home');
}

/**
 * Connects as `up` does. With nothing chosen: the key that is let in, and the host key accepted.
 */
export function connectTo(
  sshd: TestSshd,
  choices: SshChoices = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<Carrier> {
  const identityFile = 'identityFile' in choices ? choices.identityFile : sshd.identityFile;
  const acceptHostKey = 'acceptHostKey' in choices ? choices.acceptHostKey : sshd.fingerprint;
  const transport = createTransport(
    {
      kind: 'ssh',
      user: choices.user ?? sshd.user,
      host: sshd.host,
      port: choices.port ?? sshd.port,
      ...(identityFile === undefined ? {} : { identityFile }),
    },
    {
      agentPort: choices.agentPort ?? 1,
      acceptHostKey,
      sshAuthSock: choices.sshAuthSock,
      env: {},
      home: choices.home ?? homeOf(sshd),
      clock: choices.clock ?? systemClock,
      logger: choices.logger ?? silentLogger,
    },
  );
  return transport.connect(signal);
}
