import type { Dyno } from '../../src/heroku/answers.ts';
import type { AppInfo, Platform } from '../../src/heroku/platform.ts';

/** A platform whose answers a test sets; `calls` are what it was asked for, in order. */
export class FakePlatform implements Platform {
  readonly app = 'my-app';
  readonly calls: string[] = [];
  appInfo: AppInfo = { name: 'my-app', generation: 'cedar', space: undefined, stack: 'heroku-24' };
  enabled = true;
  vars: Record<string, string> = {};
  packs: string[] = [];
  /** What each look at the dynos shows; the last one for ever. */
  looks: Dyno[][] = [];
  /** One for each look, undefined where it succeeds; a look that fails uses up none of `looks`. */
  dynosFailures: (Error | undefined)[] = [];
  /** Of the last question for the dynos. */
  dynosSignal: AbortSignal | undefined;
  /** By the name of a call. */
  failures: Partial<Record<keyof Platform, Error>> = {};

  info(): Promise<AppInfo> {
    return this.#answer('info', this.appInfo);
  }

  async dynos(signal?: AbortSignal): Promise<Dyno[]> {
    this.dynosSignal = signal;
    const failure = this.dynosFailures.shift();
    if (failure !== undefined) throw failure;
    const next = (this.looks.length > 1 ? this.looks.shift() : this.looks[0]) ?? [];
    return this.#answer('dynos', next);
  }

  configVars(): Promise<Record<string, string>> {
    return this.#answer('configVars', this.vars);
  }

  execEnabled(): Promise<boolean> {
    return this.#answer('execEnabled', this.enabled);
  }

  enableExec(): Promise<void> {
    return this.#answer('enableExec', undefined);
  }

  restartDynos(): Promise<void> {
    return this.#answer('restartDynos', undefined);
  }

  buildpacks(): Promise<string[]> {
    return this.#answer('buildpacks', this.packs);
  }

  async #answer<T>(name: keyof Platform, value: T): Promise<T> {
    this.calls.push(name);
    const failure = this.failures[name];
    if (failure !== undefined) throw failure;
    return value;
  }
}
