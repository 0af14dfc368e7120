import { EpmuxError, type ErrorCode } from '../../protocol/errors.ts';

export type RefusedCode = Extract<ErrorCode, 'AGENT_MISSING' | 'CONNECT_FAILED'>;

/** Reasons for which a server opens no channel (RFC 4254, 5.1). */
const Reason = { prohibited: 1, connectFailed: 2, unknownType: 3, shortage: 4 } as const;

/** What it means that the server did not open a channel to a port; `refused` where nobody listens on it. */
export function refusal(error: Error, label: string, refused: RefusedCode): EpmuxError {
  const { reason } = error as { reason?: unknown };
  switch (reason) {
    case Reason.connectFailed:
      return new EpmuxError(refused, `nothing listens on ${label}`, { cause: error });
    case Reason.prohibited:
    case Reason.unknownType:
      return new EpmuxError('CONNECT_FAILED', `the SSH server forbids forwarding to ${label}`, {
        cause: error,
        hint: 'its sshd_config needs AllowTcpForwarding yes (or local), and PermitOpen for this port',
      });
    case Reason.shortage:
      return new EpmuxError('BUSY', `the SSH server opens no more channels to ${label}`, {
        cause: error,
      });
    default:
      return new EpmuxError('PIPE_LOST', `${label} was not opened: ${error.message}`, {
        cause: error,
      });
  }
}
