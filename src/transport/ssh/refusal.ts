import { EpmuxError, type ErrorCode } from '../../protocol/errors.ts';
import { OpenFailure, openFailureOf } from './ssh-codes.ts';

export type RefusedCode = Extract<ErrorCode, 'AGENT_MISSING' | 'CONNECT_FAILED'>;

/**
 * What it means that the server did not open a channel to a port; `refused` where nobody listens on
 * it.
 */
export function refusal(error: Error, label: string, refused: RefusedCode): EpmuxError {
  switch (openFailureOf(error)) {
    case OpenFailure.connectFailed:
      return new EpmuxError(refused, `nothing listens on ${label}`, {
        cause: error,
        details: { refused: 'port' },
      });
    case OpenFailure.prohibited:
    case OpenFailure.unknownType:
      return new EpmuxError('CONNECT_FAILED', `the SSH server forbids forwarding to ${label}`, {
        cause: error,
        hint: 'its sshd_config needs AllowTcpForwarding yes (or local), and PermitOpen for this port',
      });
    case OpenFailure.shortage:
      return new EpmuxError('BUSY', `the SSH server opens no more channels to ${label}`, {
        cause: error,
      });
    default:
      return new EpmuxError('PIPE_LOST', `${label} was not opened: ${error.message}`, {
        cause: error,
      });
  }
}
