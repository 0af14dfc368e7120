import { randomUUID } from 'node:crypto';
import { EpmuxError } from '../protocol/errors.ts';
import { DYNO_USER, type Dyno, type DynoImage, startDyno } from './dyno.ts';
import type { ServedApp, ServedDyno } from './heroku.ts';

export const DYNOS = ['web.1', 'web.2', 'worker.1'] as const;
export type DynoName = (typeof DYNOS)[number];
const HOST_DIGITS = 7;

export interface AppOptions extends DynoImage {
  readonly name: string;
  /** Not all nodes may be called the same: `my_app_web_1` instead of `my_app`. */
  readonly namedByDyno: boolean;
}

interface Slot {
  id: string;
  state: ServedDyno['state'];
  dyno: Dyno | undefined;
  /** The start or restart that runs, or the last one. */
  turn: Promise<Dyno>;
}

/** The app of the demo: its formation of three dynos, each with a node and an agent. */
export class DemoApp implements ServedApp {
  readonly name: string;
  readonly configVars: Readonly<Record<string, string>>;
  readonly #options: AppOptions;
  readonly #slots = new Map<string, Slot>();
  #closed = false;

  constructor(options: AppOptions) {
    this.#options = options;
    this.name = options.name;
    this.configVars = { EPMUX_SECRET: options.secret };
  }

  /** All dynos at once; fails with the first failure when none of them is starting any more. */
  async start(): Promise<void> {
    for (const name of DYNOS) {
      const id = randomUUID();
      this.#slots.set(name, { id, state: 'starting', dyno: undefined, turn: this.#boot(name, id) });
    }
    const turns = [...this.#slots.values()].map((slot) => slot.turn);
    await Promise.allSettled(turns);
    await Promise.all(turns);
  }

  dynos(): readonly ServedDyno[] {
    return [...this.#slots].map(([name, { id, state, dyno }]) => {
      const ssh = dyno === undefined ? undefined : { ...dyno.ssh, user: DYNO_USER };
      return { id, name, state, ssh };
    });
  }

  /** The dyno, after the restart that runs; fails as that does. */
  async dyno(name: DynoName): Promise<Dyno> {
    const slot = this.#slots.get(name);
    if (slot === undefined) throw new EpmuxError('INTERNAL', `${name} was never started`);
    return slot.turn;
  }

  /** One that is starting is left to start. */
  restartSoon(name: string): void {
    const slot = this.#slots.get(name);
    if (slot === undefined || slot.state === 'starting' || this.#closed) return;
    slot.turn = this.#restart(name, slot);
    // Whoever asks for the dyno is told; until then the platform says `crashed`.
    slot.turn.catch(() => {});
  }

  /** Every dyno has ended; none starts any more. */
  async close(): Promise<void> {
    this.#closed = true;
    const slots = [...this.#slots.values()];
    await Promise.allSettled(slots.map((slot) => slot.turn));
    const stops = slots.map((slot) => slot.dyno?.stop());
    await Promise.allSettled(stops);
    await Promise.all(stops);
  }

  async #restart(name: string, slot: Slot): Promise<Dyno> {
    const old = slot.dyno;
    slot.id = randomUUID();
    slot.state = 'starting';
    slot.dyno = undefined;
    try {
      await old?.stop();
      if (this.#closed) throw new EpmuxError('INTERRUPTED', 'the app ends');
    } catch (error) {
      this.#become(name, 'crashed', undefined);
      throw error;
    }
    return this.#boot(name, slot.id);
  }

  async #boot(name: string, id: string): Promise<Dyno> {
    try {
      const dyno = await startDyno(name, this.#nodeName(name, id), this.#options);
      this.#become(name, 'up', dyno);
      return dyno;
    } catch (error) {
      this.#become(name, 'crashed', undefined);
      throw error;
    }
  }

  #become(name: string, state: ServedDyno['state'], dyno: Dyno | undefined): void {
    const slot = this.#slots.get(name);
    if (slot !== undefined) Object.assign(slot, { state, dyno });
  }

  /**
   * The host is short enough to be shown, and begins with a letter: digits alone would be an IP
   * address.
   */
  #nodeName(name: string, id: string): string {
    const base = this.#options.namedByDyno ? `my_app_${name.replace('.', '_')}` : 'my_app';
    return `${base}@d${id.slice(0, HOST_DIGITS)}`;
  }
}
