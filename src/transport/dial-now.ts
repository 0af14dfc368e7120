import type { Socket } from 'node:net';
import type { Address } from '../runtime/address.ts';
import type { Dialer } from './dial.ts';

/** A dialer whose first connection to one address is on its way already. */
export interface Dialled {
  readonly dial: Dialer;
  /** Ends that connection unless somebody has asked for it. */
  drop(): void;
}

/**
 * Connects at once: whoever is to use the connection may still load, or look for its keys. Failures
 * are told to who asks for it.
 */
export function dialNow(dial: Dialer, address: Address, signal: AbortSignal): Dialled {
  let first: Promise<Socket> | undefined = dial(address, signal);
  first.catch(() => undefined);
  const take = (): Promise<Socket> | undefined => {
    const taken = first;
    first = undefined;
    return taken;
  };
  const drop = (): void =>
    void take()?.then(
      (socket) => socket.destroy(),
      () => undefined,
    );
  return {
    drop,
    dial: (to, abort) => {
      // Given up before it was asked for.
      if (abort.aborted) drop();
      return take() ?? dial(to, abort);
    },
  };
}
