import { EpmuxError } from '../../protocol/errors.ts';
import type { Io } from '../io.ts';
import { askYesNo } from '../terminal/ask.ts';
import { printable } from '../terminal/printable.ts';

/**
 * Does the work; where it fails because nobody has accepted the host key yet, shows the key to who
 * sits there, and does it again with the fingerprint that was agreed to. Without a terminal, or
 * without a yes, HOST_KEY_UNKNOWN stays. `beforeAsking` clears the terminal.
 */
export async function withHostKeyAccepted<T>(
  io: Io,
  work: (accepted: { readonly acceptHostKey?: string }) => Promise<T>,
  beforeAsking: () => void = () => undefined,
): Promise<T> {
  try {
    return await work({});
  } catch (error) {
    if (!EpmuxError.is(error, 'HOST_KEY_UNKNOWN')) throw error;
    const acceptHostKey = error.details?.['fingerprint'];
    if (acceptHostKey === undefined || !io.interactive) throw error;
    beforeAsking();
    io.talk(printable(error.message));
    if (!(await askYesNo('Is this the right host?', io.interrupted))) throw error;
    return work({ acceptHostKey });
  }
}
