import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Environment } from '../../runtime/environment.ts';
import {
  type Answer,
  isInForce,
  isWritten,
  mustBeThere,
  refused,
  removeFiles,
  runTool,
  type ServiceManager,
  type ServiceState,
  writeServiceFile,
} from './manager.ts';
import { plistText, type ServiceProgram } from './text.ts';

const LABEL = 'epmux';
/**
 * launchd answers `bootout` while the job is still ending, whatever it answers; longer than it
 * waits before it kills it (text.ts).
 */
const GONE_MS = 30_000;
/** For a moment after that the label is not free yet: EIO or EALREADY. */
const FREE_MS = 15_000;
const NOT_FREE = [5, 37];
const POLL_MS = 250;

export interface LaunchdOptions {
  readonly env: Environment;
  readonly home: string;
  readonly uid: number;
  readonly program: ServiceProgram;
  readonly stderrFile: string;
}

/** An agent of this user's launchd. */
export class Launchd implements ServiceManager {
  readonly name = 'launchd';
  readonly file: string;
  readonly #env: Environment;
  readonly #domain: string;
  readonly #target: string;
  readonly #text: string;

  constructor({ env, home, uid, program, stderrFile }: LaunchdOptions) {
    this.#env = env;
    this.file = join(home, 'Library', 'LaunchAgents', `${LABEL}.plist`);
    this.#domain = `gui/${uid}`;
    this.#target = `${this.#domain}/${LABEL}`;
    this.#text = plistText(program, LABEL, stderrFile);
  }

  async check(): Promise<void> {
    mustBeThere(await this.#ask('print', this.#domain), 'launchd has no session for you here');
  }

  isInstalled(): Promise<boolean> {
    return isInForce(this, this.#text);
  }

  async install(): Promise<readonly string[]> {
    await this.stop();
    await writeServiceFile(this.file, this.#text);
    await this.#ask('enable', this.#target);
    const bootstrap = ['bootstrap', this.#domain, this.file];
    const limit = AbortSignal.timeout(FREE_MS);
    for (;;) {
      const answer = await this.#ask(...bootstrap);
      if (answer.code === 0) return [];
      if (!NOT_FREE.includes(answer.code) || limit.aborted) {
        throw refused('launchctl', bootstrap, answer);
      }
      await delay(POLL_MS);
    }
  }

  async stop(): Promise<void> {
    if (!(await this.#isLoaded())) return;
    const bootout = ['bootout', this.#target];
    const answer = await this.#ask(...bootout);
    const limit = AbortSignal.timeout(GONE_MS);
    while (await this.#isLoaded()) {
      if (limit.aborted) throw refused('launchctl', bootout, answer);
      await delay(POLL_MS);
    }
  }

  async uninstall(): Promise<readonly string[]> {
    await this.stop();
    await removeFiles(this.file);
    return [];
  }

  async state(): Promise<ServiceState> {
    const { code, stdout } = await this.#ask('print', this.#target);
    const installed = await isWritten(this.file);
    return {
      manager: this.name,
      installed,
      enabled: installed && code === 0,
      running: code === 0 && /^\s*state = running$/m.test(stdout),
      file: this.file,
    };
  }

  async #isLoaded(): Promise<boolean> {
    return (await this.#ask('print', this.#target)).code === 0;
  }

  #ask(...args: readonly string[]): Promise<Answer> {
    return runTool('launchctl', args, this.#env);
  }
}
