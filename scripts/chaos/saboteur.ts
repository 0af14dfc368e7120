/** Does what the schedule says to the path and to the processes. */
import { setTimeout as pause } from 'node:timers/promises';
import type { FlowDirection, Weather } from '../../test/support/passage.ts';
import type { Peer } from './peer.ts';
import { signal } from './processes.ts';
import type { Act, WeatherName } from './schedule.ts';
import type { Site } from './site.ts';

/** Milliseconds since the epoch. */
export interface Done {
  readonly begunAt: number;
  /** Nothing stands in the way any more. */
  readonly overAt: number;
}

const WEATHERS: Readonly<Record<WeatherName, Partial<Weather>>> = {
  clear: {},
  delay: { latencyMs: 150 },
  throttle: { bytesPerSecond: 3_000_000 },
  split: { pieceBytes: 1, bytesPerSecond: 200_000 },
};
/** Single bytes are slow for everybody: after this long the path is as it was. */
const SPLIT_MS = 1_000;

export class Sabotage {
  readonly #site: Site;
  readonly #peer: Peer;
  readonly #localNodes: readonly number[];
  readonly #acts: { readonly [K in Act['kind']]: (lastsMs: number) => unknown } = {
    reset: () => this.#site.path.reset(),
    'kill-sshd': () => this.#site.sshd.resetConnections(),
    'half-close-up': () => this.#site.path.halfClose('up'),
    'half-close-down': () => this.#site.path.halfClose('down'),
    hold: (lastsMs) => this.#hold(lastsMs),
    blackhole: (lastsMs) => this.#blackhole(lastsMs, ['up', 'down']),
    'long-blackhole': (lastsMs) => this.#blackhole(lastsMs, ['up', 'down']),
    'blackhole-up': (lastsMs) => this.#blackhole(lastsMs, ['up']),
    'blackhole-down': (lastsMs) => this.#blackhole(lastsMs, ['down']),
    'freeze-agent': (lastsMs) => frozen(lastsMs, this.#peer.processes().agent),
    'freeze-daemon': (lastsMs) => frozen(lastsMs, this.#peer.processes().client),
    'stop-daemon': (lastsMs) => frozen(lastsMs, this.#peer.processes().client),
    'stop-laptop': (lastsMs) =>
      frozen(lastsMs, [...this.#localNodes, ...this.#peer.processes().client]),
    'freeze-sshd': (lastsMs) => this.#freezeSshd(lastsMs),
    'end-agent': () => this.#peer.restartAgent(),
    'end-node': () => this.#site.restartVictim(),
  };
  #weather: WeatherName = 'clear';
  #clearing: NodeJS.Timeout | undefined;

  constructor(site: Site, peer: Peer, localNodes: readonly number[]) {
    this.#site = site;
    this.#peer = peer;
    this.#localNodes = localNodes;
  }

  /** Resolves when it is over. */
  async perform(act: Act): Promise<Done> {
    this.#setWeather(act.weather);
    const begunAt = Date.now();
    await this.#acts[act.kind](act.lastsMs);
    return { begunAt, overAt: Date.now() };
  }

  stop(): void {
    clearTimeout(this.#clearing);
    this.#site.path.setWeather({});
  }

  #setWeather(weather: WeatherName): void {
    if (weather === this.#weather) return;
    this.#weather = weather;
    clearTimeout(this.#clearing);
    this.#site.path.setWeather(WEATHERS[weather]);
    if (weather === 'split') {
      this.#clearing = setTimeout(() => this.#site.path.setWeather({}), SPLIT_MS);
    }
  }

  #hold(lastsMs: number): Promise<void> {
    const { path } = this.#site;
    return during(
      lastsMs,
      () => path.hold(),
      () => path.release(),
    );
  }

  #freezeSshd(lastsMs: number): Promise<void> {
    const { sshd } = this.#site;
    return during(
      lastsMs,
      () => sshd.freeze(),
      () => sshd.thaw(),
    );
  }

  #blackhole(lastsMs: number, directions: readonly FlowDirection[]): Promise<void> {
    const { path } = this.#site;
    return during(
      lastsMs,
      () => path.blackhole(directions),
      () => path.heal(),
    );
  }
}

async function during(ms: number, begin: () => void, end: () => void): Promise<void> {
  begin();
  try {
    await pause(ms);
  } finally {
    end();
  }
}

function frozen(ms: number, pids: readonly number[]): Promise<void> {
  return during(
    ms,
    () => signal(pids, 'SIGSTOP'),
    () => signal(pids, 'SIGCONT'),
  );
}
