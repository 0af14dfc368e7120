import type { AnyAuthMethod, AuthHandlerMiddleware, Client } from 'ssh2';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Authenticator } from './authenticator.ts';
import { type ChannelRequest, EarlyChannel } from './early-channel.ts';
import { signAtOnce } from './sign-at-once.ts';

/** Who says nothing for so long to what came early may wait for what it expects instead. */
const UNANSWERED_MS = 5_000;

export interface EntryOptions {
  readonly client: Client;
  readonly user: string;
  readonly authenticator: Authenticator;
  /** Looked at when the user's key goes out: a channel to ask for along with it. */
  readonly first: () => ChannelRequest | undefined;
  readonly clock: Clock;
  onRefused(error: EpmuxError): void;
  /** The server says nothing to what came early. */
  onUnanswered(): void;
}

/** How the server is asked to let the user in, and how far it has. */
export class Entry {
  readonly #options: EntryOptions;
  #hostKeyAlgorithm: string | undefined;
  #early: EarlyChannel | undefined;

  constructor(options: EntryOptions) {
    this.#options = options;
    options.client.once('handshake', ({ serverHostKey }) => {
      this.#hostKeyAlgorithm = serverHostKey;
    });
  }

  /** Keys were exchanged: what comes now is about the user. */
  get hasBegun(): boolean {
    return this.#hostKeyAlgorithm !== undefined;
  }

  /** Asked for along with the way in. */
  get early(): EarlyChannel | undefined {
    return this.#early;
  }

  /**
   * A key that the server was told of is shown in place of the first question, which only tells
   * what the server takes.
   */
  readonly handler: AuthHandlerMiddleware = (methods, partial, next) => {
    const { authenticator, client, user, onRefused } = this.#options;
    const key = methods === null ? authenticator.registered : undefined;
    const answer = authenticator.next(methods, partial);
    if (answer instanceof EpmuxError) {
      onRefused(answer);
      return;
    }
    const ask = (): void => next(answer satisfies AnyAuthMethod);
    if (key === undefined) ask();
    else if (signAtOnce(client, user, key, this.#hostKeyAlgorithm ?? '', ask)) {
      authenticator.useRegistered();
      this.#askEarly();
    }
  };

  #askEarly(): void {
    const { client, clock, first, onUnanswered } = this.#options;
    const request = first();
    if (request === undefined) return;
    this.#early = new EarlyChannel(client, request);
    const cancel = clock.wakeAt(clock.now() + UNANSWERED_MS, onUnanswered);
    client.once('ready', cancel);
    client.once('close', cancel);
  }
}
