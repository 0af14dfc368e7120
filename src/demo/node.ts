import type { Cleanup } from './cleanup.ts';

export interface NodeOptions {
  /** The demo's own folder. */
  readonly folder: string;
  readonly name: string;
  readonly cookie: string;
  readonly interrupted: AbortSignal;
  readonly cleanup: Cleanup;
}

/** The app's node in the embedded dyno, registered with an epmd of its own. */
export interface DemoNode {
  /** Such as `Erlang/OTP 25`. */
  readonly what: string;
  readonly epmdPort: number;
}
