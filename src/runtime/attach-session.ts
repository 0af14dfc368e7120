import { EpmuxError } from '../protocol/errors.ts';
import type { OpenSessionPipeOptions } from './open-session-pipe.ts';
import { openDaemonPipe } from './open-session-pipe.ts';
import type { BytePipe } from './pipe.ts';
import type { SessionDriver } from './session-driver.ts';

/**
 * Daemon: runs the handshake on a new pipe and gives it to the session, new or to be resumed;
 * `onAttached` or `onPipeLost` follow. Takes the pipe over. Errors: those of `openDaemonPipe`. One
 * call at a time for each driver.
 */
export async function attachSession(
  driver: SessionDriver,
  pipe: BytePipe,
  options: OpenSessionPipeOptions,
): Promise<void> {
  try {
    const attach = (): Uint8Array => driver.beginAttach();
    const opened = await openDaemonPipe(pipe, { ...options, attach });
    if (!driver.attach(opened)) {
      throw new EpmuxError('TIMEOUT', `the session gave up attaching through ${pipe.label}`);
    }
  } catch (error) {
    driver.attachFailed();
    throw error;
  }
}
