import type { RelayCookies } from '../erlang/handshake-pass.ts';

export interface CookieSources {
  /** The agent at the other end proves the node's cookie itself. */
  readonly agentKnows: boolean;
  /** The production cookie, where this side has it. */
  readonly production: () => Promise<string | undefined>;
  /** The cookie of this user's own nodes. */
  readonly local: () => Promise<string>;
}

/**
 * What the relay beside a local node is to know: the production cookie stays in the dyno where the agent has found it. Undefined: nobody knows it but
 * perhaps the local node, whose proof passes as it is.
 */
export async function relayCookies(sources: CookieSources): Promise<RelayCookies | undefined> {
  if (sources.agentKnows) return { local: await sources.local() };
  const production = await sources.production();
  return production === undefined ? undefined : { local: await sources.local(), production };
}
