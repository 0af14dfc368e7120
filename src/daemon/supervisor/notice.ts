import { spawn } from 'node:child_process';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';

/** systemd waits three times as long. */
const EVERY_MS = 40_000;
const NOTIFY_MS = 10_000;

export interface ServiceNoticeOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Tells systemd that the service runs, where it was started by one that wants to know: once that it
 * is ready, then every 40 s while the worker answers.
 */
export class ServiceNotice {
  readonly #options: ServiceNoticeOptions;
  readonly #isWanted: boolean;
  #saidAt: number | undefined;
  #hasFailed = false;

  constructor(options: ServiceNoticeOptions) {
    this.#options = options;
    this.#isWanted = options.env['NOTIFY_SOCKET'] !== undefined;
  }

  onAlive(): void {
    const now = this.#options.clock.now();
    if (!this.#isWanted) return;
    if (this.#saidAt === undefined) this.#say('--ready');
    else if (now - this.#saidAt >= EVERY_MS) this.#say('WATCHDOG=1');
    else return;
    this.#saidAt = now;
  }

  #say(word: string): void {
    const { env, logger } = this.#options;
    const tool = spawn('systemd-notify', [word], { env, stdio: 'ignore', timeout: NOTIFY_MS });
    const fail = (reason: string) => {
      if (!this.#hasFailed) logger.warn('systemd could not be told', { reason });
      this.#hasFailed = true;
    };
    tool.once('error', ({ message }) => fail(message));
    tool.once('exit', (code) => {
      if (code !== 0) fail(`systemd-notify ended with ${code}`);
    });
  }
}
