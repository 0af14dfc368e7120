import { EpmuxError } from '../../protocol/errors.ts';
import {
  foundInstead,
  GOES_WITHOUT,
  isNotThisAgent,
  withoutAny,
} from '../../runtime/agent-refusals.ts';
import { unlessAborted } from '../../runtime/attempt.ts';
import type { BytePipe } from '../../runtime/pipe.ts';
import type { Carrier, FirstRequest } from '../../transport/transport.ts';
import type { AgentChoice, AgentKind } from '../control/api.ts';
import { type LinkMemory, MAX_SESSIONS } from '../memory.ts';
import { AgentPusher, type AgentPusherOptions } from './agent-pusher.ts';
import type { AgentWay } from './agent-way.ts';
import type { Connection } from './connection-loop.ts';
import { Orphans } from './orphan.ts';
import type { PushedAgent } from './push.ts';
import { PUSH_REQUEST } from './push-script.ts';

export interface AgentSearchOptions extends AgentPusherOptions {
  readonly choice: Exclude<AgentChoice, 'none'>;
  readonly agent: AgentWay;
  /** Asked for each attempt anew; undefined: there is none. */
  readonly secret: () => Promise<string | undefined>;
  /** What the worker before this one knew of this dyno. */
  readonly inherited: Omit<LinkMemory, 'id'> | undefined;
}

/**
 * Which agent the link's session is with:
 *
 *     one pushed before ──▶ else one that listens, with the secret that is known ──▶ else one pushed now ──▶ else none
 *
 * Once one that listens was there, the link waits for it to come back.
 */
export class AgentSearch {
  readonly #options: AgentSearchOptions;
  readonly #orphans: Orphans;
  readonly #pusher: AgentPusher;
  #found: AgentKind | undefined;
  #whyNone: string | undefined;
  /** Asked for while the carrier was still on its way. */
  #askedSecret: Promise<string | undefined> | undefined;

  constructor(options: AgentSearchOptions) {
    this.#options = options;
    const { inherited = {}, clock, logger } = options;
    this.#pusher = new AgentPusher(options, inherited.pushed);
    this.#orphans = new Orphans({ sessions: inherited.sessions ?? [], clock, logger });
  }

  /** What another worker could go on with. */
  memory(): Omit<LinkMemory, 'id'> {
    const { sessionId } = this.#options.agent;
    const pushed = this.#pusher.known;
    const sessions = [...this.#orphans.left, ...(sessionId === undefined ? [] : [sessionId])];
    return {
      ...(sessions.length === 0 ? {} : { sessions: sessions.slice(-MAX_SESSIONS) }),
      ...(pushed === undefined ? {} : { pushed }),
    };
  }

  /** Which one the link is, or was last, attached to. */
  get found(): AgentKind | undefined {
    return this.#found;
  }

  /** Why the link goes without one. */
  get whyNone(): string | undefined {
    return this.#whyNone;
  }

  /**
   * Before a carrier is there: begins to look for the secret. Gives what `attach` will ask the
   * carrier for first, as far as that is known by then.
   */
  foresee(): () => FirstRequest | undefined {
    if (this.#pusher.known !== undefined) return () => ({ agentPort: this.#pusher.known?.port });
    let known: { readonly secret: string | undefined } | undefined;
    this.#askedSecret = this.#options.secret();
    this.#askedSecret.then(
      (secret) => {
        known = { secret };
      },
      () => undefined,
    );
    return () => {
      if (known === undefined) return undefined;
      const isPush = this.#isInVain(known.secret) && !this.#pusher.rests;
      return isPush ? PUSH_REQUEST : { agentPort: undefined };
    };
  }

  /**
   * Undefined: there is none, and the choice is to go without. Fails as `AgentWay.attach` does,
   * with AGENT_MISSING where there has to be one, and with what the secret fails with.
   */
  async attach(carrier: Carrier, signal: AbortSignal): Promise<Connection | undefined> {
    const { known } = this.#pusher;
    if (known !== undefined) return this.#attachPushed(known, carrier, signal);
    const asked = this.#askedSecret ?? this.#options.secret();
    this.#askedSecret = undefined;
    const secret = await unlessAborted(asked, 'looking for the secret', signal);
    const looking = this.#attachListening(secret, carrier, signal);
    looking.catch(() => undefined);
    // One is pushed meanwhile, and all that the look still tells is why there was no other.
    const pushing = this.#isInVain(secret) ? this.#pusher.push(carrier, signal) : undefined;
    pushing?.catch(() => undefined);
    let refusal: EpmuxError;
    try {
      return await looking;
    } catch (error) {
      if (this.#found === 'listening' || !isNotThisAgent(error)) throw error;
      refusal = error;
    }
    const pushed = await (pushing ?? this.#pusher.push(carrier, signal));
    if (pushed instanceof EpmuxError || pushed === undefined) {
      return this.#goWithout(refusal, pushed, carrier);
    }
    return this.#attachPushed(pushed.agent, carrier, signal, pushed.pipe);
  }

  async #attachListening(
    secret: string | undefined,
    carrier: Carrier,
    signal: AbortSignal,
  ): Promise<Connection> {
    const { agent, onStep } = this.#options;
    onStep('looking for the agent');
    const pipe = await carrier.openAgentPipe(signal).catch((error: unknown) => {
      // The dyno itself says that nothing listens: the agent that knew the session is gone.
      if (EpmuxError.is(error, 'AGENT_MISSING')) agent.abandon(error);
      throw error;
    });
    if (secret === undefined) {
      pipe.close();
      throw new EpmuxError(
        'SECRET_MISSING',
        `${carrier.label} may lead to an agent, and no secret is known for it`,
      );
    }
    const connection = await this.#attach(pipe, secret, signal);
    this.#found = 'listening';
    // Behind the attach: a pushed agent ends with its last session.
    void this.#orphans.end(() => carrier.openAgentPipe(signal), secret);
    onStep(`attached to the agent (${agent.agentSoftware})`);
    return connection;
  }

  /** Fails with AGENT_MISSING when that agent is gone: the next attempt begins the search anew. */
  async #attachPushed(
    { port, secret, node }: PushedAgent,
    carrier: Carrier,
    signal: AbortSignal,
    pipe = carrier.openAgentPipe(signal, port),
  ): Promise<Connection> {
    const { agent, onStep } = this.#options;
    let isOpen = false;
    try {
      const opened = await pipe;
      isOpen = true;
      const connection = await this.#attach(opened, secret, signal);
      this.#pusher.onAttached();
      this.#found = 'pushed';
      void this.#orphans.end(() => carrier.openAgentPipe(signal, port), secret);
      onStep(`attached to the pushed agent (${agent.agentSoftware}, Node.js ${node})`);
      return connection;
    } catch (error) {
      if (!this.#pusher.onFailed(error, isOpen)) throw error;
      this.#found = undefined;
      const gone = new EpmuxError('AGENT_MISSING', 'the agent that was pushed there is gone', {
        cause: error,
      });
      agent.abandon(gone);
      throw gone;
    }
  }

  #attach(pipe: BytePipe, secret: string, signal: AbortSignal): Promise<Connection> {
    return this.#options.agent.attach(pipe, Buffer.from(secret, 'utf8'), signal);
  }

  /** Whatever listens there, no session comes of it without a secret. */
  #isInVain(secret: string | undefined): boolean {
    return secret === undefined && this.#found !== 'listening';
  }

  #goWithout(refusal: EpmuxError, cannotPush: EpmuxError | undefined, carrier: Carrier): undefined {
    const { choice, logger, onStep } = this.#options;
    const reason = cannotPush?.message;
    const mayGoWithout = choice === 'auto' && carrier.dial !== undefined;
    if (mayGoWithout && EpmuxError.is(refusal, ...GOES_WITHOUT)) {
      const found = foundInstead(refusal);
      const why = reason === undefined ? found : `${found}, and none can be pushed (${reason})`;
      this.#whyNone = why;
      logger.info('going without an agent', { reason: why });
      onStep(`${why}: going without`);
      return undefined;
    }
    const isByChoice = choice === 'require' && carrier.dial !== undefined;
    throw withoutAny(refusal, reason, isByChoice);
  }
}
