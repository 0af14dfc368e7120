import type { Clock } from '../runtime/clock.ts';
import { knownInterfaces } from '../runtime/interfaces.ts';
import { SleepWatch } from '../runtime/sleep-watch.ts';
import { defaultRoutes } from './routes.ts';

/**
 * Coarse: it costs next to nothing, and whatever is in use notices by itself within its heartbeat.
 */
const PERIOD_MS = 5_000;
/** While a link waits for a network to come back. */
const EAGER_PERIOD_MS = 1_000;
/** A look that comes so much too late means that this process did not run. */
const LATE_MS = 5_000;

/**
 * Each interface has one, also those that a container, or a phone nearby, brings for a moment:
 * nothing is reached from it.
 */
const LINK_LOCAL = /^(?:fe[89ab].:|169\.254\.)/i;

/** The addresses that a machine has in networks, as one text. */
export function networkAddresses(interfaces: ReturnType<typeof knownInterfaces>): string {
  return Object.values(interfaces)
    .flatMap((found) => found ?? [])
    .filter(({ internal, address }) => !internal && !LINK_LOCAL.test(address))
    .map(({ cidr, address }) => cidr ?? address)
    .sort()
    .join(' ');
}

function currentNetwork(): string {
  return `${networkAddresses(knownInterfaces())} via ${defaultRoutes()}`;
}

export interface SurroundingsOptions {
  readonly clock: Clock;
  /** The machine slept, or has other network addresses or another default route than before. */
  readonly onChanged: (what: string) => void;
  /** Somebody waits for a change. */
  readonly eager: () => boolean;
  /** At every look. */
  readonly onLook: () => void;
  readonly network?: () => string;
}

/** Looks every few seconds whether the machine slept or moved to another network. */
export class Surroundings {
  readonly #options: SurroundingsOptions;
  readonly #sleep: SleepWatch;
  readonly #network: () => string;
  #last: string;
  #cancel: () => void;

  constructor(options: SurroundingsOptions) {
    this.#options = options;
    this.#sleep = new SleepWatch(options.clock);
    this.#network = options.network ?? currentNetwork;
    this.#last = this.#network();
    this.#cancel = this.#arm();
  }

  close(): void {
    this.#cancel();
  }

  #arm(): () => void {
    const { clock, eager } = this.#options;
    const at = clock.now() + (eager() ? EAGER_PERIOD_MS : PERIOD_MS);
    return clock.wakeAt(at, () => this.#look(clock.now() - at));
  }

  #look(lateMs: number): void {
    this.#cancel = this.#arm();
    const network = this.#network();
    const moved = network !== this.#last;
    this.#last = network;
    const slept = this.#sleep.slept() || lateMs > LATE_MS;
    if (slept) this.#options.onChanged('the machine slept');
    else if (moved) this.#options.onChanged('the network has changed');
    this.#options.onLook();
  }
}
