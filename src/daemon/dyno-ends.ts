import { EpmuxError } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { AgentChoice, ErrorStatus, LinkState, LinkStatus } from './control/api.ts';
import type { DynoEnd } from './dyno-end.ts';
import type { WantedDyno } from './dynos.ts';
import { ASKED_FOR } from './links/dyno-link.ts';
import { NO_FIGURES } from './links/link.ts';
import { errorStatus } from './links/link-state.ts';

/** Heroku's words for a dyno that nothing runs in. With any other one it is on its way up. */
const AT_REST: ReadonlySet<string> = new Set(['crashed', 'down', 'idle']);

export interface DynoEndsOptions {
  readonly make: (dyno: WantedDyno) => DynoEnd;
  readonly choice: AgentChoice;
  readonly clock: Clock;
  /** For the log. */
  readonly onNews: (news: string) => void;
}

interface Life {
  id: string;
  wasUp: boolean;
}

/** What `status` says of a dyno that there is no link to. */
function linkless({ name, state }: WantedDyno, choice: AgentChoice): LinkStatus {
  return {
    dyno: name,
    mode: choice === 'none' ? 'direct' : 'agent',
    agent: null,
    whyDirect: choice === 'none' ? ASKED_FOR : null,
    state: AT_REST.has(state) ? 'down' : 'connecting',
    ...NO_FIGURES,
  };
}

/**
 * A link for each dyno that is up, by the dyno's id. One that restarted has another id: its link is
 * closed, with all local connections to its nodes, and the new one gets its own. What happens to
 * one leaves the others as they are.
 */
export class DynoEnds {
  readonly #options: DynoEndsOptions;
  readonly #ends = new Map<string, DynoEnd>();
  /** By name: the last life that had a link. */
  readonly #lives = new Map<string, Life>();
  readonly #closing = new Set<Promise<void>>();
  #waiting: readonly WantedDyno[] = [];
  #pastReconnects = 0;
  #lastNews: ErrorStatus | null = null;
  #closed = false;

  constructor(options: DynoEndsOptions) {
    this.#options = options;
  }

  get all(): readonly DynoEnd[] {
    return [...this.#ends.values()];
  }

  /** Dynos that are wanted and not up. */
  get waiting(): readonly WantedDyno[] {
    return this.#waiting;
  }

  get reconnects(): number {
    return this.all.reduce((sum, end) => sum + end.reconnects, this.#pastReconnects);
  }

  /** What has happened to a dyno last: restarted, crashed, gone. */
  get lastNews(): ErrorStatus | null {
    return this.#lastNews;
  }

  links(): readonly LinkStatus[] {
    const { choice } = this.#options;
    return [
      ...this.all.map((end) => end.status()),
      ...this.#waiting.map((dyno) => linkless(dyno, choice)),
    ].toSorted((a, b) => (a.dyno ?? '').localeCompare(b.dyno ?? '', 'en', { numeric: true }));
  }

  set(dynos: readonly WantedDyno[]): void {
    if (this.#closed) return;
    const before = this.#waiting;
    const isLinked = (dyno: WantedDyno) =>
      dyno.state === 'up' || (this.#ends.has(dyno.id) && !AT_REST.has(dyno.state));
    this.#waiting = dynos.filter((dyno) => !isLinked(dyno));
    const linked = new Map(dynos.filter(isLinked).map((dyno) => [dyno.id, dyno]));
    for (const [id, end] of this.#ends) {
      if (!linked.has(id)) this.#drop(id, end, dynos);
    }
    for (const dyno of this.#waiting) {
      if (!before.some(({ id, state }) => id === dyno.id && state === dyno.state))
        this.#rests(dyno);
    }
    for (const [id, dyno] of linked) {
      if (!this.#ends.has(id)) this.#add(dyno);
    }
  }

  /**
   * A link's state has changed: a dyno that is up again after a restart is a reconnect like any
   * other.
   */
  onState({ dyno: { id, name } }: DynoEnd, state: LinkState): void {
    const life = this.#lives.get(name ?? '');
    if (state !== 'up' || life === undefined) return;
    if (life.id !== id) {
      if (life.wasUp) this.#pastReconnects += 1;
      life.id = id;
    }
    life.wasUp = true;
  }

  /** Resolves when all are closed, also those that were before. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const end of this.#ends.values()) this.#close(end);
    await Promise.all(this.#closing);
  }

  #add(dyno: WantedDyno): void {
    const name = dyno.name ?? '';
    const life = this.#lives.get(name);
    if (life === undefined) this.#lives.set(name, { id: dyno.id, wasUp: false });
    else if (life.id !== dyno.id) this.#tell('DYNO_RESTARTED', `${name} was restarted`);
    const end = this.#options.make(dyno);
    this.#ends.set(dyno.id, end);
    end.start();
  }

  #drop(id: string, end: DynoEnd, dynos: readonly WantedDyno[]): void {
    this.#ends.delete(id);
    this.#pastReconnects += end.reconnects;
    const { name } = end.dyno;
    if (!dynos.some((dyno) => dyno.name === name)) {
      this.#tell('DYNO_NOT_RUNNING', `${name} is gone: scaled down, or about to restart`);
    }
    this.#close(end);
  }

  #rests({ name, state }: WantedDyno): void {
    if (AT_REST.has(state)) this.#tell('DYNO_NOT_RUNNING', `${name} is ${state}`);
    else this.#options.onNews(`${name} is ${state}`);
  }

  #close(end: DynoEnd): void {
    const closing = end.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  #tell(code: 'DYNO_RESTARTED' | 'DYNO_NOT_RUNNING', text: string): void {
    this.#lastNews = errorStatus(new EpmuxError(code, text), this.#options.clock.wallNow());
    this.#options.onNews(text);
  }
}
