import { ADDRCONFIG, lookup } from 'node:dns';
import { type Clock, systemClock } from '../runtime/clock.ts';

/**
 * The addresses of a name, best first, as getaddrinfo has them: `/etc/hosts`, mDNS and a VPN's own
 * names count. Fails as it does.
 */
export type LookUp = (host: string) => Promise<readonly string[]>;

/**
 * An answer serves for so long: one that comes later than an attempt lasts is there for the next.
 */
const YOUNG_MS = 5_000;
/**
 * A name that was asked for in another network is asked for again beside that look-up while fewer
 * than these run.
 */
const MAX_BESIDE = 4;

interface Asked {
  readonly addresses: Promise<readonly string[]>;
  /** On the clock; undefined: no answer yet. */
  until: number | undefined;
  isOutdated: boolean;
}

/**
 * One look-up at a time for each name, shared by all who ask. It can't be given up once it has
 * begun, and holds a thread for as long as the name server is silent: whoever tries again must not
 * begin another.
 */
export class LookUps {
  readonly #ask: LookUp;
  readonly #clock: Clock;
  readonly #asked = new Map<string, Asked>();
  #running = 0;

  constructor(ask: LookUp, clock: Clock) {
    this.#ask = ask;
    this.#clock = clock;
  }

  readonly find: LookUp = (host) => {
    this.#forgetOld();
    const known = this.#asked.get(host);
    const serves = known !== undefined && (!known.isOutdated || this.#running >= MAX_BESIDE);
    return (serves ? known : this.#begin(host)).addresses;
  };

  /**
   * This machine is in another network: what was answered before, or still will be, may be wrong
   * there.
   */
  outdate(): void {
    for (const [host, asked] of this.#asked) {
      asked.isOutdated = true;
      if (asked.until !== undefined) this.#asked.delete(host);
    }
  }

  #begin(host: string): Asked {
    this.#running += 1;
    const addresses = this.#ask(host);
    const asked: Asked = { addresses, until: undefined, isOutdated: false };
    this.#asked.set(host, asked);
    const forget = (): void => {
      if (this.#asked.get(host) === asked) this.#asked.delete(host);
    };
    addresses.then(
      () => {
        this.#running -= 1;
        asked.until = this.#clock.now() + YOUNG_MS;
        if (asked.isOutdated) forget();
      },
      () => {
        this.#running -= 1;
        forget();
      },
    );
    return asked;
  }

  #forgetOld(): void {
    const now = this.#clock.now();
    for (const [host, { until }] of this.#asked) {
      if (until !== undefined && now >= until) this.#asked.delete(host);
    }
  }
}

function bySystem(host: string): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    lookup(host, { all: true, hints: ADDRCONFIG }, (error, found) => {
      if (error === null) resolve(found.map(({ address }) => address));
      else reject(error);
    });
  });
}

/** Those of this process. */
export const lookUps = new LookUps(bySystem, systemClock);
