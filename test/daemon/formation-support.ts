import type { FormationApp } from '../../src/daemon/formation-app.ts';
import type { Dyno } from '../../src/heroku/answers.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import type { FirstRequest, Transport } from '../../src/transport/transport.ts';
import type { ManualClock } from '../support/manual-clock.ts';

export function dyno(name: string, state = 'up', id = name): Dyno {
  return { id, name, type: name.split('.')[0] ?? name, state };
}

export class FakeApp implements FormationApp {
  readonly name = 'my-app';
  shown: Dyno[] = [dyno('web.1')];
  failure: EpmuxError | undefined;
  obstacle: EpmuxError | undefined;
  checks = 0;
  readonly #clock: ManualClock;
  /** When it was asked for its dynos. */
  readonly looks: number[] = [];
  /** What connections were told will be asked for first. */
  readonly foreseen: (FirstRequest | undefined)[] = [];

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  async check(): Promise<readonly string[]> {
    this.checks += 1;
    if (this.obstacle !== undefined) throw this.obstacle;
    return [];
  }

  async dynos(): Promise<readonly Dyno[]> {
    this.looks.push(this.#clock.now());
    if (this.failure !== undefined) throw this.failure;
    return this.shown;
  }

  async variables(): Promise<Record<string, string>> {
    return {};
  }

  transport(name: string): Transport {
    return {
      target: name,
      connect: (_signal, first) => {
        this.foreseen.push(first?.());
        return Promise.reject(new EpmuxError('CONNECT_FAILED', 'as far as it gets'));
      },
    };
  }
}
