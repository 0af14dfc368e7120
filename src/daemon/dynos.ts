import type { EpmuxError } from '../protocol/errors.ts';
import type { Transport } from '../transport/transport.ts';
import type { ErrorStatus, LinkState } from './control/api.ts';

/** A dyno that a tunnel leads to. */
export interface WantedDyno {
  /** Another one after each restart. */
  readonly id: string;
  /** `web.1`; null where a way leads to one place that has no such name. */
  readonly name: string | null;
  /** Heroku's word for it; only what is `up` can be connected to. */
  readonly state: string;
}

export interface DynosHandlers {
  /** All of them as they are now; may be called with the same as before. */
  onDynos(dynos: readonly WantedDyno[]): void;
  onChange(state: LinkState): void;
  onAttemptFailed(error: EpmuxError): void;
  /** What they are now can't be learned, for now: those that were known stay. */
  onLookFailed(error: EpmuxError): void;
  onStep(step: string): void;
  isAnyUp(): boolean;
}

/** Which dynos a tunnel leads to, and the way into each. */
export interface Dynos {
  /** For logs and `status`, without secrets. */
  readonly target: string;
  /** Of finding out which they are; never `reconnecting` while they are known. */
  readonly state: LinkState;
  readonly lastError: ErrorStatus | null;
  /**
   * `isBack`: the tunnel was up before, with another daemon. What is not there now may come back.
   */
  start(handlers: DynosHandlers, isBack: boolean): void;
  transport(dyno: WantedDyno): Transport;
  /**
   * What the app's processes are given in their environment, as far as this side may know: secrets.
   */
  variables(): Promise<Readonly<Record<string, string>>>;
  /**
   * A person asks: looks at once, also after it had given up, and at all that may have changed
   * where no link is up. `hasNewSecrets`: an attempt on its way does not have them.
   */
  again(hasNewSecrets: boolean): void;
  /** This machine slept, or is in another network: looks at once. */
  onSurroundingsChanged(): void;
  /** A sign that they may be others now. */
  onLinkLost(): void;
  close(): Promise<void>;
}

/**
 * The one dyno that every way but Heroku's leads to. `transport` is asked for each connection anew
 * and may throw USAGE, so does this.
 */
export function oneDyno(transport: () => Transport): Dynos {
  const { target } = transport();
  return {
    target,
    state: 'up',
    lastError: null,
    start: ({ onDynos }) => onDynos([{ id: '', name: null, state: 'up' }]),
    transport,
    variables: async () => ({}),
    again: () => undefined,
    onSurroundingsChanged: () => undefined,
    onLinkLost: () => undefined,
    close: async () => undefined,
  };
}
