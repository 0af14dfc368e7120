import https from 'node:https';
import { isIP } from 'node:net';
import { Duplex } from 'node:stream';
import tls, { type TLSSocket } from 'node:tls';
import { type Address, hostOf } from '../runtime/address.ts';
import { unlessAborted } from '../runtime/attempt.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { type Dialer, directDialer } from '../transport/dial.ts';

/** A connection that nothing travels on is kept for so long. */
const IDLE_MS = 4_000;
/** One made in advance has to last until the first question. */
const UNUSED_MS = 10_000;

/** What Node's own agents of HTTP do with a connection between two questions. */
export const KEPT = { keepAlive: true, timeout: IDLE_MS } as const;

/**
 * For sockets that are to carry HTTP. What it fails with is the socket's own error where there is
 * one.
 */
export function straightDialer(clock: Clock): Dialer {
  const dial = directDialer(clock);
  return async (to, signal) => {
    const socket = await dial(to, signal).catch((error: Error) => {
      throw error.cause ?? error;
    });
    // One that the other end has closed would look as if it took another question.
    socket.allowHalfOpen = false;
    return socket;
  };
}

/** A request's options besides Node's own. */
export interface WhileConnecting {
  /** Its signal, which Node does not show to an agent. */
  readonly givenUp?: AbortSignal;
}

interface Unused {
  readonly made: Promise<TLSSocket>;
  end(): void;
}

/**
 * Connections over TLS, dialled as all others are: Node's own way gives an address up after 250 ms.
 * Those that were made in advance are taken first.
 */
export class Connections extends https.Agent {
  readonly #unused = new Map<string, Unused[]>();
  readonly #dial: Dialer;

  constructor(options: https.AgentOptions = {}, dial = straightDialer(systemClock)) {
    super(options);
    this.#dial = dial;
  }

  /** Failures are silent: who asks makes a connection of its own then. */
  prepare(url: URL, count: number): void {
    const address = { host: hostOf(url), port: Number(url.port || 443) };
    const unused = this.#unusedTo(address);
    while (unused.length < count) unused.push(makeAhead(this.#dial, address, unused));
  }

  override createConnection(
    options: https.RequestOptions & WhileConnecting,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const address = { host: options.host ?? '', port: Number(options.port) };
    const { givenUp: signal = new AbortController().signal } = options;
    const connect = async (): Promise<Duplex> => {
      const socket = await this.#dial(address, signal);
      return super.createConnection(Object.assign({}, options, { socket })) ?? socket;
    };
    const prepared = this.#unusedTo(address).shift();
    const made = prepared === undefined ? connect() : taken(prepared, signal).catch(connect);
    made.then(
      (stream) => callback?.(null, stream),
      // There has to be a stream, which nobody looks at.
      (error: Error) => callback?.(error, new Duplex()),
    );
  }

  #unusedTo({ host, port }: Address): Unused[] {
    const key = `${host}:${port}`;
    const known = this.#unused.get(key) ?? [];
    this.#unused.set(key, known);
    return known;
  }
}

/** Takes itself out of `unused` when it fails, or nobody has taken it in time. */
function makeAhead(dial: Dialer, address: Address, unused: Unused[]): Unused {
  const { host } = address;
  const abort = new AbortController();
  const made = dial(address, abort.signal).then((socket) =>
    tls.connect({
      socket,
      ...(isIP(host) > 0 ? {} : { servername: host }),
      ALPNProtocols: ['http/1.1'],
    }),
  );
  const ahead = {
    made,
    end: () => {
      abort.abort();
      void made.then((socket) => socket.destroy()).catch(() => undefined);
    },
  };
  const drop = (): void => {
    const at = unused.indexOf(ahead);
    if (at >= 0) unused.splice(at, 1);
  };
  // Nobody waits for it yet.
  made.then((socket) => socket.on('error', drop).once('close', drop).unref(), drop);
  const timer = setTimeout(() => {
    if (unused.includes(ahead)) ahead.end();
  }, UNUSED_MS);
  timer.unref();
  return ahead;
}

async function taken(ahead: Unused, signal: AbortSignal): Promise<Duplex> {
  try {
    return (await unlessAborted(ahead.made, 'connecting', signal)).ref();
  } catch (error) {
    ahead.end();
    throw error;
  }
}
