import { lstatSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { WireCode } from '../protocol/constants.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { Cancel, Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { systemCode } from '../runtime/system-error.ts';
import { deferred } from '../runtime/wait.ts';
import type { EndReason } from '../session/types.ts';
import { loadSecret } from './secret.ts';

/** Who pushed it attaches at once, or is gone. */
const FIRST_SESSION_MS = 60_000;
const PRIVATE = 0o077;

/**
 * The secret that was put into the folder; the folder is gone then, with all that belongs there and
 * nothing else. Throws PERMISSION_DENIED unless the folder is this user's alone, and what
 * `loadSecret` throws.
 */
export function takePushedSecret(folder: string, log: Logger): Uint8Array {
  refuseUnlessPrivate(folder);
  try {
    return loadSecret(join(folder, 'secret'), {}, log);
  } finally {
    for (const name of ['secret', 'agent.mjs']) rmSync(join(folder, name), { force: true });
    try {
      rmdirSync(folder);
    } catch (error) {
      log.warn('the folder stays', { folder, why: String(error) });
    }
  }
}

function refuseUnlessPrivate(folder: string): void {
  let why: string | undefined;
  try {
    const stat = lstatSync(folder);
    if (!stat.isDirectory()) why = 'it is none';
    else if (stat.uid !== process.getuid?.()) why = 'it is another user’s';
    else if ((stat.mode & PRIVATE) !== 0) why = 'others may enter it';
  } catch (error) {
    why = systemCode(error) ?? String(error);
  }
  if (why !== undefined) {
    throw new EpmuxError('PERMISSION_DENIED', `the folder ${folder} is not used: ${why}`);
  }
}

/**
 * How long an agent stays that a daemon has pushed: until the last session's orderly end, or until
 * no session has had a connection for the grace. Nobody else knows its secret, so nobody else can
 * miss it.
 */
export class PushedLife {
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #over = deferred();
  readonly over: Promise<void> = this.#over.promise;
  #idle: Cancel;

  constructor(clock: Clock, graceMs: number) {
    this.#clock = clock;
    this.#graceMs = graceMs;
    this.#idle = this.#endIn(Math.min(graceMs, FIRST_SESSION_MS));
  }

  /** So many sessions have a connection now. */
  onAttached(sessions: number): void {
    this.#idle();
    this.#idle = sessions > 0 ? () => undefined : this.#endIn(this.#graceMs);
  }

  /** A session has ended, and so many are left. */
  onEnded(reason: EndReason, left: number): void {
    if (left === 0 && reason.code === WireCode.NONE) this.#over.resolve();
  }

  close(): void {
    this.#idle();
  }

  #endIn(ms: number): Cancel {
    return this.#clock.wakeAt(this.#clock.now() + ms, this.#over.resolve);
  }
}
