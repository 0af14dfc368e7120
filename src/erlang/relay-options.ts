import type { NodeRole, RelayCookies } from './handshake-pass.ts';

export interface DistributionRelayOptions {
  /**
   * `connector`: the node beside us opened the connection (the daemon's end); `acceptor`: it was
   * dialled (the agent's end).
   */
  readonly side: NodeRole;
  /**
   * Clear DFLAG_PUBLISHED both ways in the handshake, so that the nodes take each other for hidden
   * ones.
   */
  readonly hide: boolean;
  /** Refuse a visible connector (HIDDEN_ONLY) rather than hide it. */
  readonly hiddenOnly: boolean;
  /**
   * Whether a node beyond has this full name. A connector that bears it is refused: its peer would
   * end the connection of that node for it.
   */
  readonly isTaken: (name: string) => boolean;
  /**
   * `feed`: this end swallows its node's ticks and feeds it ticks of its own; the other end must do
   * the same. `pass`: ticks are the nodes' own business, for a way with one relay only.
   */
  readonly ticks: 'feed' | 'pass';
  /** A tick goes to the node when nothing was written to it for so long. */
  readonly tickMs: number;
  /**
   * Nothing at all from the node for so long: NODE_SILENT. Our ticks hide a frozen node from its
   * peer, so this end has to notice.
   */
  readonly nodeSilenceMs: number;
  /**
   * A message for the node up to this size is held until whole; a longer one streams through, and
   * no tick can be fed within it.
   */
  readonly maxHeldBytes: number;
  /**
   * Translate the cookie's digests; without it they pass as they are. With one cookie the relay at
   * the other end has to know the other.
   */
  readonly cookies: RelayCookies | undefined;
}

/**
 * A deadline met so much too late means that this process did not run: who was waited for had no
 * chance to be heard either.
 */
export const PROCESS_SLEPT_MS = 5_000;

export const RELAY_DEFAULTS: Omit<DistributionRelayOptions, 'side'> = {
  hide: true,
  hiddenOnly: false,
  isTaken: () => false,
  ticks: 'feed',
  tickMs: 2_000,
  nodeSilenceMs: 5 * 60_000,
  maxHeldBytes: 128 * 1024,
  cookies: undefined,
};
