import { join } from 'node:path';
import type { Environment } from '../io.ts';
import {
  type Answer,
  isInForce,
  isWritten,
  mustBeThere,
  mustRun,
  removeFiles,
  runTool,
  type ServiceManager,
  type ServiceState,
  writeServiceFile,
} from './manager.ts';
import { plistText, type ServiceProgram } from './text.ts';

const LABEL = 'epmux';

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
    await mustRun('launchctl', ['bootstrap', this.#domain, this.file], this.#env);
    return [];
  }

  async stop(): Promise<void> {
    if ((await this.#ask('print', this.#target)).code !== 0) return;
    await mustRun('launchctl', ['bootout', this.#target], this.#env);
  }

  async uninstall(): Promise<void> {
    await this.stop();
    await removeFiles(this.file);
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

  #ask(...args: readonly string[]): Promise<Answer> {
    return runTool('launchctl', args, this.#env);
  }
}
