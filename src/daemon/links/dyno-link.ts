import { EpmuxError } from '../../protocol/errors.ts';
import { isUnproved } from '../../runtime/agent-refusals.ts';
import { abortError } from '../../runtime/attempt.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { BytePipe } from '../../runtime/pipe.ts';
import type { SessionPort } from '../../session/types.ts';
import type { Carrier, Transport } from '../../transport/transport.ts';
import type { AgentChoice, LinkStatus } from '../control/api.ts';
import type { DaemonLimits } from '../limits.ts';
import type { LinkMemory } from '../memory.ts';
import type { AgentBundle } from './agent-bundle.ts';
import { AgentSearch } from './agent-search.ts';
import { AgentWay } from './agent-way.ts';
import { type Connection, ConnectionLoop } from './connection-loop.ts';
import { DirectWay } from './direct-way.ts';
import type { Link, LinkHandlers, NodeWay } from './link.ts';
import type { LinkStateMachine } from './link-state.ts';

export interface DynoLinkOptions {
  /** `web.1`; null where the way leads to one place without such a name. */
  readonly dyno: string | null;
  readonly choice: AgentChoice;
  /** The dyno's epmd, for `direct`. */
  readonly epmdPort: number;
  /** Asked for each carrier anew: host keys and ssh-agent sockets change. */
  readonly transport: () => Transport;
  /** Asked for each attempt anew; undefined: there is none. */
  readonly secret: () => Promise<string | undefined>;
  readonly createSession: (id: Uint8Array) => SessionPort;
  readonly limits: DaemonLimits;
  /** What the worker before this one knew of this dyno. */
  readonly inherited: Omit<LinkMemory, 'id'> | undefined;
  /** The agent to push. */
  readonly bundle: AgentBundle;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly handlers: LinkHandlers;
}

/** Why a link is `direct` whatever is there. */
export const ASKED_FOR = '--agent none';

/** How a dyno looks that restarts between the registration of a key and the connection. */
const RESTARTING = ['SSH_AUTH_REFUSED', 'HOST_KEY_MISMATCH'] as const;

/**
 * One dyno: a carrier, and on it an agent's session or, where there is none and the choice allows
 * it, straight connections. Once an agent was there, the link waits for it to come back rather than
 * go without.
 */
export class DynoLink implements Link {
  readonly #options: DynoLinkOptions;
  readonly #loop: ConnectionLoop;
  readonly #agent: AgentWay;
  readonly #direct: DirectWay;
  /** Undefined: never with an agent. */
  readonly #search: AgentSearch | undefined;
  #way: NodeWay;
  #carrier: Carrier | undefined;
  #closing = false;

  constructor(options: DynoLinkOptions) {
    this.#options = options;
    const { clock, logger, handlers, createSession, epmdPort, limits } = options;
    const { helloMs, nodes: most } = limits;
    this.#agent = new AgentWay({ createSession, helloMs, clock, logger, events: handlers });
    this.#direct = new DirectWay({ epmdPort, most, clock, logger, events: handlers });
    this.#way = options.choice === 'none' ? this.#direct : this.#agent;
    this.#search = this.#newSearch();
    this.#loop = new ConnectionLoop({
      clock,
      limits,
      attempt: (signal) => this.#attempt(signal),
      onChange: (state) => handlers.onChange(state),
      onAttemptFailed: (error) => handlers.onAttemptFailed(error),
      mayPass: (error) => this.#mayPass(error),
    });
  }

  get machine(): LinkStateMachine {
    return this.#loop.machine;
  }

  get ticks(): 'feed' | 'pass' {
    return this.#way.ticks;
  }

  start(): void {
    this.#loop.start();
  }

  openNode(short: string): BytePipe {
    return this.#way.openNode(short);
  }

  knowsCookie(short: string): boolean {
    return this.#way.knowsCookie(short);
  }

  get exec(): Carrier['exec'] {
    return this.#loop.machine.state === 'up' ? this.#carrier?.exec : undefined;
  }

  status(): LinkStatus {
    const { mode } = this.#way;
    const { rttMs, ...figures } = this.#way.figures();
    return {
      dyno: this.#options.dyno,
      mode,
      agent: mode === 'agent' ? (this.#search?.found ?? null) : null,
      whyDirect: mode === 'direct' ? (this.#search?.whyNone ?? ASKED_FOR) : null,
      state: this.#loop.machine.state,
      rttMs: rttMs === null ? null : Math.round(rttMs * 100) / 100,
      ...figures,
    };
  }

  memory(): Omit<LinkMemory, 'id'> {
    return this.#search?.memory() ?? {};
  }

  probe(hasNewSecrets: boolean): void {
    if (this.#loop.machine.state === 'up') this.#way.probe();
    else this.#loop.again(hasNewSecrets);
  }

  async close(): Promise<void> {
    this.#closing = true;
    const looped = this.#loop.close();
    await this.#agent.close();
    await this.#direct.close();
    this.#dropCarrier();
    await looped;
    this.#dropCarrier();
  }

  /**
   * A restart goes by, and what answers on the agent's port without a proof ends no session that
   * the agent may know.
   */
  #mayPass(error: EpmuxError): boolean {
    const isRestarting = this.#options.dyno !== null && EpmuxError.is(error, ...RESTARTING);
    return isRestarting || (isUnproved(error) && this.#agent.holdsSession);
  }

  async #attempt(signal: AbortSignal): Promise<Connection> {
    const carrier = await this.#takeCarrier(signal);
    try {
      const { lost } = await this.#attach(carrier, signal);
      return {
        // A new connection is quicker than what TCP needs to recover from a loss, so a carrier is
        // not used again.
        lost: lost.finally(() => {
          // At the end the last words have to reach the agent first: `close` waits for that.
          if (!this.#closing) this.#dropCarrier();
        }),
      };
    } catch (error) {
      // The carrier works, only nobody listens at its end: asked again on it.
      if (!EpmuxError.is(error, 'AGENT_MISSING')) this.#dropCarrier();
      throw error;
    }
  }

  async #takeCarrier(signal: AbortSignal): Promise<Carrier> {
    if (this.#carrier !== undefined) return this.#carrier;
    const transport = this.#options.transport();
    this.#options.handlers.onStep(`connecting to ${transport.target}`);
    const carrier = await transport.connect(signal, this.#search?.foresee());
    if (signal.aborted) {
      carrier.close();
      throw abortError('the attempt', signal);
    }
    this.#carrier = carrier;
    carrier.onClosed(() => {
      if (this.#carrier === carrier) this.#carrier = undefined;
    });
    return carrier;
  }

  #dropCarrier(): void {
    const carrier = this.#carrier;
    this.#carrier = undefined;
    carrier?.close();
  }

  async #attach(carrier: Carrier, signal: AbortSignal): Promise<Connection> {
    const connection = await this.#search?.attach(carrier, signal);
    if (connection === undefined) return this.#goDirect(carrier, signal);
    this.#way = this.#agent;
    return connection;
  }

  async #goDirect(carrier: Carrier, signal: AbortSignal): Promise<Connection> {
    this.#way = this.#direct;
    this.#options.handlers.onStep('asking the epmd there');
    return this.#direct.attach(carrier, signal);
  }

  #newSearch(): AgentSearch | undefined {
    const { choice, secret, epmdPort, bundle, inherited, clock, logger, handlers } = this.#options;
    if (choice === 'none') return undefined;
    return new AgentSearch({
      choice,
      agent: this.#agent,
      secret,
      epmdPort,
      bundle,
      inherited,
      clock,
      logger,
      onStep: (step) => handlers.onStep(step),
    });
  }
}
