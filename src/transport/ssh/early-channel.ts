import type { Client, ClientCallback } from 'ssh2';
import { LOOPBACK } from '../../runtime/address.ts';
import type { ExecRequest } from '../transport.ts';
import { openProcess } from './exec.ts';
import { OpenFailure, openFailureOf } from './ssh-codes.ts';

/** What a channel leads to; a port is one of the server's loopback. */
export type ChannelRequest =
  | { readonly kind: 'port'; readonly port: number }
  | { readonly kind: 'process'; readonly request: ExecRequest };
type Outcome = Parameters<ClientCallback>;

/** Throws when the client is not connected. */
export function openChannel(client: Client, request: ChannelRequest, opened: ClientCallback): void {
  if (request.kind === 'process') openProcess(client, request.request, opened);
  else client.forwardOut(LOOPBACK, 0, LOOPBACK, request.port, opened);
}

/**
 * Each request for a process is one of its own: another one with the same words means another
 * process.
 */
function isSame(one: ChannelRequest, other: ChannelRequest): boolean {
  return one.kind === 'port'
    ? other.kind === 'port' && one.port === other.port
    : other.kind === 'process' && one.request === other.request;
}

/**
 * A channel that is asked for right behind the request to let the user in, which a server works
 * through first: so it is open a round trip sooner. For one taker; what it says until then waits,
 * and it ends with its client. What a server prohibits is asked for once more: it may have been too
 * early for it.
 */
export class EarlyChannel {
  readonly #client: Client;
  readonly #request: ChannelRequest;
  readonly #outcome: Promise<Outcome>;
  #exit: unknown[] | undefined;
  #isTaken = false;

  /** Throws when the client is not connected. */
  constructor(client: Client, request: ChannelRequest) {
    this.#client = client;
    this.#request = request;
    this.#outcome = new Promise((resolve) => {
      openChannel(client, request, (error, channel) => {
        // Its taker, or the end of the connection, tells.
        channel?.on('error', () => undefined);
        channel?.once('exit', (...exit: unknown[]) => {
          this.#exit = exit;
        });
        resolve([error, channel]);
      });
    });
  }

  /** False: something else is asked for here, or it was taken. */
  give(request: ChannelRequest, opened: ClientCallback): boolean {
    if (this.#isTaken || !isSame(request, this.#request)) return false;
    this.#isTaken = true;
    void this.#outcome.then(([error, channel]) => {
      if (openFailureOf(error) === OpenFailure.prohibited) {
        this.#again(opened);
        return;
      }
      opened(error, channel);
      if (this.#exit !== undefined) channel.emit('exit', ...this.#exit);
    });
    return true;
  }

  #again(opened: ClientCallback): void {
    try {
      openChannel(this.#client, this.#request, opened);
    } catch {
      // Not connected any more, of which the connection tells.
    }
  }
}
