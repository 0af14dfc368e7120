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
    await this.#do(act);
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

  async #do({ kind, lastsMs }: Act): Promise<void> {
    const { path, sshd } = this.#site;
    const processes = this.#peer.processes();
    switch (kind) {
      case 'reset':
        return path.reset();
      case 'kill-sshd':
        return sshd.resetConnections();
      case 'half-close-up':
        return path.halfClose('up');
      case 'half-close-down':
        return path.halfClose('down');
      case 'hold':
        return during(
          lastsMs,
          () => path.hold(),
          () => path.release(),
        );
      case 'blackhole':
      case 'long-blackhole':
        return this.#blackhole(lastsMs, ['up', 'down']);
      case 'blackhole-up':
        return this.#blackhole(lastsMs, ['up']);
      case 'blackhole-down':
        return this.#blackhole(lastsMs, ['down']);
      case 'freeze-agent':
        return frozen(lastsMs, processes.agent);
      case 'freeze-daemon':
      case 'stop-daemon':
        return frozen(lastsMs, processes.client);
      case 'stop-laptop':
        return frozen(lastsMs, [...this.#localNodes, ...processes.client]);
      case 'freeze-sshd':
        return during(
          lastsMs,
          () => sshd.freeze(),
          () => sshd.thaw(),
        );
      case 'end-agent':
        await this.#peer.restartAgent();
        return undefined;
      case 'end-node':
        return this.#site.restartVictim();
    }
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
