import type { EpmuxError } from '../../protocol/errors.ts';
import type { BytePipe } from '../../runtime/pipe.ts';
import type { Directory } from '../../session/types.ts';
import type { Carrier } from '../../transport/transport.ts';
import type { LinkMode, LinkState, LinkStatus } from '../control/api.ts';
import type { LinkMemory } from '../memory.ts';
import type { LinkStateMachine } from './link-state.ts';

export type LinkFigures = Pick<
  LinkStatus,
  'rttMs' | 'bytesIn' | 'bytesOut' | 'streams' | 'resumes' | 'outageMs' | 'incarnation'
>;

/** Of a link that nothing has gone over yet. */
export const NO_FIGURES: LinkFigures = {
  rttMs: null,
  bytesIn: 0,
  bytesOut: 0,
  streams: 0,
  resumes: 0,
  outageMs: 0,
  incarnation: null,
};

/** What a way to the nodes tells the link that owns it. */
export interface LinkEvents {
  /**
   * The nodes as they are now; undefined: all that was known is void (a new dyno). `epmdError`: why
   * none are known, where more is known than that its epmd is down.
   */
  onDirectory(directory: Directory | undefined, epmdError?: EpmuxError): void;
}

/** How nodes are reached over a carrier: through an agent's session, or straight. */
export interface NodeWay {
  readonly mode: LinkMode;
  /** Who keeps the nodes' connection alive (erlang/relay-options.ts). */
  readonly ticks: 'feed' | 'pass';
  /**
   * A byte pipe to the node's distribution port; what fails later closes it. Throws TUNNEL_DOWN or
   * NODE_NOT_FOUND.
   */
  openNode(short: string): BytePipe;
  /**
   * There is an agent that proves this node's cookie for whoever proved the local one here
   * (docs/protocol.md, 8.2).
   */
  knowsCookie(short: string): boolean;
  figures(): LinkFigures;
  /** Finds out soon whether the connection is alive. */
  probe(): void;
  /**
   * Ends all node connections. Resolves when the other end was told, or after a bound. Idempotent.
   */
  close(): Promise<void>;
}

/** What a link tells its tunnel. */
export interface LinkHandlers extends LinkEvents {
  onChange(state: LinkState): void;
  onAttemptFailed(error: EpmuxError): void;
  /** A line for a person who waits: `connecting to …`. */
  onStep(step: string): void;
}

/** A tunnel's connection to one dyno, kept alive until closed. */
export interface Link {
  readonly machine: LinkStateMachine;
  readonly ticks: 'feed' | 'pass';
  start(): void;
  openNode(short: string): BytePipe;
  /** As `NodeWay.knowsCookie`. */
  knowsCookie(short: string): boolean;
  /** Runs a command over the connection that is there: where it can (SSH), and while it is up. */
  readonly exec: Carrier['exec'];
  status(): LinkStatus;
  /** What a worker after this one needs to know of it, and no file holds. */
  memory(): Omit<LinkMemory, 'id'>;
  /** Is it alive? When it is not up: attempts at once. */
  probe(hasNewSecrets: boolean): void;
  close(): Promise<void>;
}
