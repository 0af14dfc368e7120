import { isIP, type Socket } from 'node:net';
import type { Address } from '../runtime/address.ts';
import type { Cancel, Clock } from '../runtime/clock.ts';

/** How long one address is waited for before the next is tried beside it (RFC 8305). */
const BESIDE_MS = 250;
/**
 * What the system's own repetitions (after 1, 3, 7 s) would take seconds to notice: a path that has
 * just come back. So after a second of silence all are tried once more, beside the first, and so
 * on.
 */
const AGAIN_MS = 1_000;

export interface RaceOptions {
  /** Best first. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly clock: Clock;
  /** Begins to connect. */
  readonly open: (to: Address) => Socket;
  readonly onConnected: (socket: Socket) => void;
  /** Every address has failed. */
  readonly onFailed: (error: Error) => void;
}

/**
 * Connections to all addresses of a host, each begun without giving up those before it: the first
 * that stands is left. One address that is silent or unreachable is no failure while another may
 * still answer.
 */
export class ConnectionRace {
  readonly #options: RaceOptions;
  readonly #addresses: readonly string[];
  readonly #sockets = new Set<Socket>();
  readonly #failures = new Map<string, Error>();
  #roundAt = 0;
  /** In the round: the next address. */
  #next = 0;
  #cancelNext: Cancel = () => undefined;
  #over = false;

  constructor(options: RaceOptions) {
    this.#options = options;
    this.#addresses = inTurns([...new Set(options.addresses)]);
    this.#beginRound();
  }

  /** What has failed so far while others are still silent. */
  get failure(): Error | undefined {
    const failures = [...this.#failures.values()];
    if (failures.length <= 1) return failures[0];
    return new AggregateError(failures, failures.map(({ message }) => message).join('; '));
  }

  /** Idempotent; ends every connection but `winner`. */
  end(winner?: Socket): void {
    this.#over = true;
    this.#cancelNext();
    for (const socket of this.#sockets) if (socket !== winner) socket.destroy();
    this.#sockets.clear();
  }

  #beginRound(): void {
    this.#roundAt = this.#options.clock.now();
    this.#next = 0;
    this.#dialNext();
  }

  #dialNext(): void {
    const { clock, open, port, onConnected } = this.#options;
    const host = this.#addresses[this.#next] ?? '';
    this.#next += 1;
    this.#cancelNext();
    const soonest = clock.now() + BESIDE_MS;
    this.#cancelNext = this.#hasMore
      ? clock.wakeAt(soonest, () => this.#dialNext())
      : clock.wakeAt(Math.max(soonest, this.#roundAt + AGAIN_MS), () => this.#beginRound());
    const socket = open({ host, port });
    this.#sockets.add(socket);
    // Stays on: between two owners a socket's error shows in `destroyed`, and is no uncaught
    // exception.
    socket.on('error', (error) => this.#failed(host, error));
    socket.once('connect', () => {
      if (this.#over) return;
      this.end(socket);
      onConnected(socket);
    });
  }

  get #hasMore(): boolean {
    return this.#next < this.#addresses.length;
  }

  #failed(host: string, error: Error): void {
    if (this.#over) return;
    this.#failures.set(host, error);
    if (this.#failures.size < this.#addresses.length) {
      if (this.#hasMore) this.#dialNext();
      return;
    }
    const failure = this.failure ?? error;
    this.end();
    this.#options.onFailed(failure);
  }
}

/** The families by turns: where one of them leads nowhere, the other is not last. */
function inTurns(addresses: readonly string[]): readonly string[] {
  const family = isIP(addresses[0] ?? '');
  const same = addresses.filter((address) => isIP(address) === family);
  const other = addresses.filter((address) => isIP(address) !== family);
  return same
    .flatMap((address, index) => [address, ...other.slice(index, index + 1)])
    .concat(other.slice(same.length));
}
