import { join } from 'node:path';
import type { Environment } from '../../runtime/environment.ts';
import { findProgram } from '../erlang/programs.ts';
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
import { type ServiceProgram, unitText } from './text.ts';

const UNIT = 'epmux.service';
/**
 * What `is-active` says of a unit that nothing of runs, or will by itself; empty: there is no
 * systemd.
 */
const AT_REST = ['inactive', 'failed', 'unknown', ''];
const NO_NOTIFY =
  'systemd-notify is not on the PATH: the unit has no watchdog; install it, then `epmux service install` again';
const UNASKED =
  'systemd has no manager for you here, so that nothing was ended: where the service runs, `epmux down --all` ends its tunnels, and your next login is without it';
const LINGER = 'it ends with your last login, unless `loginctl enable-linger` was called';

export interface SystemdOptions {
  readonly env: Environment;
  /** `$XDG_CONFIG_HOME`, or `~/.config`. */
  readonly configHome: string;
  readonly program: ServiceProgram;
}

/** A unit of this user's systemd. */
export class Systemd implements ServiceManager {
  readonly name = 'systemd';
  readonly file: string;
  readonly #env: Environment;
  readonly #folder: string;
  readonly #text: string;
  readonly #canNotify: boolean;

  constructor({ env, configHome, program }: SystemdOptions) {
    this.#env = env;
    this.#folder = join(configHome, 'systemd', 'user');
    this.file = join(this.#folder, UNIT);
    this.#canNotify = findProgram('systemd-notify', env) !== undefined;
    this.#text = unitText(program, this.#canNotify);
  }

  async check(): Promise<void> {
    mustBeThere(await this.#ask('show-environment'), 'systemd has no manager for you here');
  }

  isInstalled(): Promise<boolean> {
    return isInForce(this, this.#text);
  }

  async install(): Promise<readonly string[]> {
    await writeServiceFile(this.file, this.#text);
    await this.#must('daemon-reload');
    await this.#must('enable', UNIT);
    await this.#must('restart', UNIT);
    return this.#canNotify ? [LINGER] : [NO_NOTIFY, LINGER];
  }

  async stop(): Promise<void> {
    const { stdout } = await this.#ask('is-active', UNIT);
    if (!AT_REST.includes(stdout.trim())) await this.#must('stop', UNIT);
  }

  async uninstall(): Promise<readonly string[]> {
    const { installed, enabled } = await this.state();
    const isThere = (await this.#ask('show-environment')).code === 0;
    await this.stop();
    if (installed || enabled) await this.#ask('disable', UNIT);
    // Where systemd does not run, the link that `enable` made is there all the same.
    await removeFiles(this.file, join(this.#folder, 'default.target.wants', UNIT));
    if (installed && isThere) {
      await this.#ask('daemon-reload');
      await this.#ask('reset-failed', UNIT);
    }
    return installed && !isThere ? [UNASKED] : [];
  }

  async state(): Promise<ServiceState> {
    const says = async (question: string, word: string) =>
      (await this.#ask(question, UNIT)).stdout.trim() === word;
    return {
      manager: this.name,
      installed: await isWritten(this.file),
      enabled: await says('is-enabled', 'enabled'),
      running: await says('is-active', 'active'),
      file: this.file,
    };
  }

  #ask(...args: readonly string[]): Promise<Answer> {
    return runTool('systemctl', ['--user', ...args], this.#env);
  }

  #must(...args: readonly string[]): Promise<void> {
    return mustRun('systemctl', ['--user', ...args], this.#env);
  }
}
