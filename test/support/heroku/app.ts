import { randomBytes } from 'node:crypto';
import { type DynoOptions, StandInDyno } from './dyno.ts';

export interface AppOptions {
  readonly generation?: 'cedar' | 'fir';
  readonly space?: { readonly shield: boolean } | null;
  readonly stack?: string;
  readonly execEnabled?: boolean;
  readonly configVars?: Readonly<Record<string, string>>;
  readonly buildpacks?: readonly string[];
}

/** A Heroku app as the platform knows it, and its formation of dynos. */
export class StandInApp {
  readonly name: string;
  readonly options: AppOptions;
  readonly configVars: Record<string, string>;
  readonly dynos = new Map<string, StandInDyno>();
  execEnabled: boolean;
  /** Called for each dyno that starts, also after a restart: what the app runs there. */
  boot: (dyno: StandInDyno) => Promise<void> = async () => {};
  readonly #dynoOptions = new Map<string, DynoOptions>();
  /** Restarts under way; a test awaits them before it stops. */
  readonly restarts = new Set<Promise<unknown>>();

  constructor(name: string, options: AppOptions = {}) {
    this.name = name;
    this.options = options;
    this.configVars = { ...options.configVars };
    this.execEnabled = options.execEnabled ?? true;
  }

  /** A dyno that runs, as `ps:scale` would make one. */
  async scaleUp(name: string, options: DynoOptions = {}): Promise<StandInDyno> {
    this.#dynoOptions.set(name, options);
    const dyno = await StandInDyno.start(name, newId(), options);
    this.dynos.set(name, dyno);
    await this.boot(dyno);
    return dyno;
  }

  async scaleDown(name: string): Promise<void> {
    const dyno = this.dynos.get(name);
    this.dynos.delete(name);
    await dyno?.stop();
  }

  /** A new life: new id, host name, host key, node name. */
  async restart(name: string): Promise<StandInDyno> {
    await this.scaleDown(name);
    return this.scaleUp(name, this.#dynoOptions.get(name));
  }

  restartSoon(names: readonly string[]): void {
    for (const name of names) {
      const restart = this.restart(name).finally(() => this.restarts.delete(restart));
      this.restarts.add(restart);
    }
  }

  async stop(): Promise<void> {
    await Promise.allSettled(this.restarts);
    await Promise.all([...this.dynos.keys()].map((name) => this.scaleDown(name)));
  }
}

function newId(): string {
  const hex = randomBytes(16).toString('hex');
  return [8, 12, 16, 20, 32].map((end, i, ends) => hex.slice(ends[i - 1] ?? 0, end)).join('-');
}
