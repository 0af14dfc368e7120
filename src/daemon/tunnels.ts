import type { HerokuAhead } from '../heroku/ahead.ts';
import { EpmuxError, messageOf } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { TunnelSpec, UpSecrets } from './control/api.ts';
import type { ControlCall } from './control/handlers.ts';
import type { LinkMemory, TunnelMemory } from './memory.ts';
import { otherTunnel } from './other-tunnel.ts';
import type { Redactor } from './redact.ts';
import type { SecretStore } from './secrets.ts';
import type { StateStore } from './state.ts';
import { Tunnel } from './tunnel.ts';
import type { TunnelParts } from './tunnel-parts.ts';
import { tunnelReady } from './tunnel-ready.ts';
import { TunnelSecrets } from './tunnel-secrets.ts';

export interface TunnelsOptions {
  readonly parts: TunnelParts;
  readonly state: StateStore;
  readonly secrets: SecretStore;
  readonly redactor: Redactor;
  /** False: tunnels are not written down and do not come back (a daemon in the foreground). */
  readonly remember: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Somebody has taken tunnels down, or has found none to take down. */
  readonly onDown: () => void;
  /** Something about one of them is not as before. */
  readonly onChanged: () => void;
}

interface Entry {
  readonly tunnel: Tunnel;
  /** An `up` has succeeded, or it came back with the daemon: a later failure does not remove it. */
  established: boolean;
  waiting: number;
}

/** The tunnels of this daemon by their names. */
export class Tunnels {
  readonly #options: TunnelsOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: TunnelsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  get all(): readonly Tunnel[] {
    return [...this.#entries.values()].map(({ tunnel }) => tunnel);
  }

  /** Fails with TUNNEL_NOT_FOUND. */
  get(name: string): Tunnel {
    const entry = this.#entries.get(name);
    if (entry !== undefined) return entry.tunnel;
    throw new EpmuxError('TUNNEL_NOT_FOUND', `there is no tunnel ${name}`);
  }

  /**
   * Brings it up, or makes sure that it is. A tunnel that does not come up, or whose last caller is
   * gone before it does, is taken away again. Fails with TUNNEL_EXISTS and as `tunnelReady` does.
   * `ahead`: what Heroku has told the caller, for a tunnel that is new.
   */
  async up(
    spec: TunnelSpec,
    given: UpSecrets,
    call: ControlCall,
    ahead?: HerokuAhead,
  ): Promise<{ readonly tunnel: Tunnel; readonly alreadyUp: boolean }> {
    const known = this.#entries.get(spec.name);
    const entry = known ?? this.#add(spec, given, [], ahead);
    const { tunnel } = entry;
    const alreadyUp = known?.tunnel.status().state === 'up';
    if (known !== undefined) {
      const other = otherTunnel(known.tunnel.spec, spec);
      if (other !== undefined) throw other;
      tunnel.probe(tunnel.secrets.replace(given, spec));
    }
    entry.waiting += 1;
    try {
      const ready = tunnelReady(tunnel, call, this.#options.clock);
      tunnel.start();
      await ready;
      await this.#options.parts.names.told();
      entry.established = true;
      this.#options.onChanged();
    } finally {
      entry.waiting -= 1;
      if (!entry.established && entry.waiting === 0) await this.#remove(entry);
    }
    await this.#keep(entry);
    return { tunnel, alreadyUp };
  }

  /** What of them can't be kept for the next daemon. */
  get problems(): readonly string[] {
    return this.all.flatMap(({ spec, secrets: { unkept } }) =>
      unkept === undefined ? [] : [`the secret of ${spec.name} can not be kept: ${unkept.message}`],
    );
  }

  /** Keeps what could not be kept. */
  async retry(): Promise<void> {
    for (const tunnel of this.all) {
      if (tunnel.secrets.unkept === undefined) continue;
      await tunnel.secrets.keep().catch(() => undefined);
      await this.#forgetSecret(tunnel);
    }
  }

  /** What no file holds of those that would come back. */
  memory(): readonly TunnelMemory[] {
    return [...this.#entries.values()]
      .filter(({ established }) => established)
      .map(({ tunnel }) => ({
        name: tunnel.spec.name,
        secrets: tunnel.secrets.given,
        links: tunnel.memory(),
      }));
  }

  /**
   * Those of the last daemon, with what it alone held where that is known. One that can't be made
   * here and now stays written down, and the log says why.
   */
  restore(memory: readonly TunnelMemory[]): void {
    for (const spec of this.#options.state.state.tunnels) {
      const { secrets = {}, links = [] } = memory.find(({ name }) => name === spec.name) ?? {};
      try {
        const entry = this.#add(spec, secrets, links);
        entry.established = true;
        entry.tunnel.start(true);
      } catch (error) {
        const reason = messageOf(error);
        this.#options.logger.error('a tunnel can not come back', { name: spec.name, reason });
      }
    }
  }

  /** Takes them down and forgets them; gives the names of those that were there. */
  async down(tunnels: readonly Tunnel[]): Promise<readonly string[]> {
    const gone = tunnels
      .map(({ spec }) => this.#entries.get(spec.name))
      .filter((entry) => entry !== undefined);
    await Promise.all(gone.map((entry) => this.#remove(entry)));
    await this.#options.parts.names.told();
    this.#options.onDown();
    return gone.map(({ tunnel }) => tunnel.spec.name);
  }

  /** Ends all connections; what is written down stays. */
  async close(): Promise<void> {
    await Promise.all(this.all.map((tunnel) => tunnel.close()));
  }

  #add(
    spec: TunnelSpec,
    given: UpSecrets,
    links: readonly LinkMemory[] = [],
    ahead?: HerokuAhead,
  ): Entry {
    const most = this.#options.parts.limits.tunnels;
    if (this.#entries.size >= most) {
      throw new EpmuxError('BUSY', `there are ${most} tunnels already`);
    }
    const { parts, secrets, redactor } = this.#options;
    const known = new TunnelSecrets(spec, given, secrets, redactor, ahead);
    const tunnel = new Tunnel(spec, known, parts, links);
    const { onChanged } = this.#options;
    tunnel.watch({ onStep: () => undefined, onAttemptFailed: () => undefined, onChanged });
    const entry: Entry = { tunnel, established: false, waiting: 0 };
    this.#entries.set(spec.name, entry);
    return entry;
  }

  async #remove(entry: Entry): Promise<void> {
    const { name } = entry.tunnel.spec;
    if (this.#entries.get(name) === entry) {
      this.#entries.delete(name);
      await this.#forget(entry.tunnel);
    }
    await entry.tunnel.close();
  }

  /** Unless it was taken down meanwhile, or is while its secret is being written. */
  async #keep({ tunnel }: Entry): Promise<void> {
    const { state, remember } = this.#options;
    const isThere = () => this.#entries.get(tunnel.spec.name)?.tunnel === tunnel;
    if (!remember || !isThere()) return;
    await this.#tryTo('the secret can not be kept', () => tunnel.secrets.keep());
    if (!isThere()) {
      await this.#forgetSecret(tunnel);
      return;
    }
    await state.update((old) => ({
      ...old,
      tunnels: [...old.tunnels.filter(({ name }) => name !== tunnel.spec.name), tunnel.spec],
    }));
  }

  async #forget(tunnel: Tunnel): Promise<void> {
    const { state, remember } = this.#options;
    const { name } = tunnel.spec;
    if (!remember) return;
    await state.update((old) => ({
      ...old,
      tunnels: old.tunnels.filter((spec) => spec.name !== name),
    }));
    await this.#forgetSecret(tunnel);
  }

  /** Another tunnel of that name has one of its own by then. */
  async #forgetSecret(tunnel: Tunnel): Promise<void> {
    if (this.#entries.has(tunnel.spec.name)) return;
    await this.#tryTo('the secret can not be removed', () => tunnel.secrets.forget());
  }

  async #tryTo(failure: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof EpmuxError)) throw error;
      this.#options.logger.error(failure, { code: error.code, reason: error.message });
    }
  }
}
