import type { RelayCookies } from '../erlang/handshake-pass.ts';

export interface CookieSources {
  /** The agent at the other end proves the node's cookie itself. */
  readonly agentKnows: boolean;
  /** The production cookie, where this side has it. */
  readonly production: () => Promise<string | undefined>;
  /** The cookie of this user's own nodes; undefined: it can't be had. */
  readonly local: () => Promise<string | undefined>;
}

/**
 * What the relay beside a local node is to know: the production cookie stays in the dyno where the
 * agent has found it. Undefined: one of the two is not known but perhaps to the local node, whose
 * proof passes as it is.
 */
export async function relayCookies(sources: CookieSources): Promise<RelayCookies | undefined> {
  const production = sources.agentKnows ? undefined : await sources.production();
  if (!sources.agentKnows && production === undefined) return undefined;
  const local = await sources.local();
  if (local === undefined) return undefined;
  return production === undefined ? { local } : { local, production };
}
