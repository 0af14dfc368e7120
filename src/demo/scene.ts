import type { DemoApp } from './app.ts';
import type { Cleanup } from './cleanup.ts';
import type { Guest } from './guest.ts';
import type { Laptop } from './laptop.ts';
import type { Show } from './show.ts';

/** What every step needs. */
export interface Stage {
  readonly show: Show;
  readonly cleanup: Cleanup;
  readonly interrupted: AbortSignal;
  /** How this program runs itself: node, its options and the main script. */
  readonly self: readonly [string, ...string[]];
  readonly keep: boolean;
}

/** What stands on it when the tunnel is up. */
export interface Scene extends Stage {
  readonly app: DemoApp;
  /** Where the stand-in for Heroku is, and the key for it. */
  readonly heroku: { readonly url: string; readonly token: string };
  readonly laptop: Laptop;
  /** Undefined where there is no Erlang. */
  readonly guest: Guest | undefined;
}
