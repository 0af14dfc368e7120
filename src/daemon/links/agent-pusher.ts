import { EpmuxError } from '../../protocol/errors.ts';
import { PUSHED_IS_GONE } from '../../runtime/agent-refusals.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { BytePipe } from '../../runtime/pipe.ts';
import type { Carrier } from '../../transport/transport.ts';
import type { AgentBundle } from './agent-bundle.ts';
import { type PushedAgent, pushAgent } from './push.ts';
import { PushRest } from './push-rest.ts';

/**
 * A pushed agent that is full closes a connection without a word, too, and still has the session;
 * by so many in a row it is gone.
 */
const WORDLESS_CLOSES = 3;

interface FreshAgent {
  readonly agent: PushedAgent;
  /** Undefined: it is still to be opened. */
  readonly pipe: Promise<BytePipe> | undefined;
}

export interface AgentPusherOptions {
  readonly epmdPort: number;
  readonly bundle: AgentBundle;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onStep: (step: string) => void;
}

/** Pushes agents into one dyno, one at a time, and knows whether the last one is still there. */
export class AgentPusher {
  readonly #options: AgentPusherOptions;
  readonly #rest: PushRest;
  #known: PushedAgent | undefined;
  /** How often in a row its port has closed a connection without a word. */
  #wordless = 0;

  /** `known`: one that the worker before this one has pushed. */
  constructor(options: AgentPusherOptions, known: PushedAgent | undefined) {
    this.#options = options;
    this.#known = known;
    this.#rest = new PushRest(options.clock);
  }

  /** The last one, unless it is gone. */
  get known(): PushedAgent | undefined {
    return this.#known;
  }

  /** The dyno is to be spared another one now. */
  get rests(): boolean {
    return this.#rest.why !== undefined;
  }

  onAttached(): void {
    this.#wordless = 0;
  }

  /**
   * True: by this failure it is gone, and not known any more. `isOpen`: its port had taken the
   * connection.
   */
  onFailed(error: unknown, isOpen: boolean): boolean {
    this.#wordless = isOpen && EpmuxError.is(error, 'AGENT_MISSING') ? this.#wordless + 1 : 0;
    const mayBeFull = this.#wordless > 0 && this.#wordless < WORDLESS_CLOSES;
    if (mayBeFull || !EpmuxError.is(error, ...PUSHED_IS_GONE)) return false;
    this.#wordless = 0;
    this.#known = undefined;
    this.#rest.onUseless(error);
    return true;
  }

  /**
   * The agent is known from then on, and its pipe opens while it starts. Else the reason why none
   * can be pushed; undefined: the carrier runs no commands.
   */
  async push(carrier: Carrier, signal: AbortSignal): Promise<FreshAgent | EpmuxError | undefined> {
    const { clock, logger, epmdPort, bundle, onStep } = this.#options;
    if (carrier.exec === undefined) return undefined;
    const known = this.#rest.why;
    if (known !== undefined) return known;
    onStep('pushing an agent');
    let broken: EpmuxError | undefined;
    carrier.onClosed((error) => {
      broken = error ?? new EpmuxError('PIPE_LOST', `${carrier.label} is closed`);
    });
    let pipe: Promise<BytePipe> | undefined;
    const onPort = (port: number): void => {
      pipe = carrier.openAgentPipe(signal, port);
      pipe.catch(() => undefined);
    };
    try {
      const options = { epmdPort, clock, logger, bundle, onPort };
      const agent = await pushAgent(carrier, options, signal);
      this.#known = agent;
      this.#rest.onPushed();
      return { agent, pipe };
    } catch (error) {
      void pipe?.then(
        (opened) => opened.close(),
        () => undefined,
      );
      if (!EpmuxError.is(error, 'AGENT_MISSING', 'PIPE_LOST')) throw error;
      if (broken !== undefined) throw broken;
      logger.debug('no agent can be pushed', { reason: error.message, code: error.code });
      this.#rest.onFailed(error);
      return error;
    }
  }
}
