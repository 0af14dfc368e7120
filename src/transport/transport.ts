import type { EpmuxError } from '../protocol/errors.ts';
import type { BytePipe } from '../runtime/pipe.ts';

/**
 * A living way to one dyno, such as an SSH connection. Everything opened through it dies with it.
 */
export interface Carrier {
  readonly label: string;
  /**
   * A new byte pipe to the agent, where the carrier can choose on another port than the one it was
   * told. Fails with AGENT_MISSING where the carrier can tell that none listens.
   */
  openAgentPipe(signal: AbortSignal, port?: number): Promise<BytePipe>;
  /**
   * A byte pipe to a port of the dyno's loopback, where the carrier can have one (SSH): what
   * `direct` needs.
   */
  readonly dial: ((port: number, signal: AbortSignal) => Promise<BytePipe>) | undefined;
  /**
   * Runs a command in the dyno, where the carrier can (SSH). Throws EXEC_REFUSED, BUSY, PIPE_LOST,
   * CONNECT_FAILED when it takes too long, or the abort's error.
   */
  readonly exec:
    | ((request: ExecRequest, signal: AbortSignal) => Promise<RemoteProcess>)
    | undefined;
  /** Called once, when the carrier is gone; undefined after `close`. */
  onClosed(listener: (error: EpmuxError | undefined) => void): void;
  close(): void;
}

export interface ExecRequest {
  /** For the login shell's `-c`; undefined: the login shell itself. */
  readonly command: string | undefined;
  /** Without one the process has three pipes; with one stderr arrives with stdout. */
  readonly terminal?: Terminal | undefined;
}

export interface Terminal {
  /** Its type: `TERM`. */
  readonly term: string;
  readonly columns: number;
  readonly rows: number;
}

/**
 * How a process ended. Both undefined: nobody knows, for the connection broke or this end closed
 * it.
 */
export interface ProcessExit {
  readonly code: number | undefined;
  /** Such as `SIGTERM`. */
  readonly signal: string | undefined;
}

/** A process in the dyno. Its signals and window sizes pass whether or not its stdin has ended. */
export interface RemoteProcess {
  /**
   * stdin out, stdout in; `end` is EOF on stdin. `pause` holds stderr back as well, for both share
   * one window. `onClosed` comes when the process is over and all its output was delivered.
   */
  readonly io: BytePipe;
  /**
   * Until somebody listens, what the process writes there waits, and stops it when the window is
   * full.
   */
  onStderr(listener: (chunk: Uint8Array) => void): void;
  /** Never rejects. Output may still be on its way. */
  readonly exited: Promise<ProcessExit>;
  resize(columns: number, rows: number): void;
  /** USAGE when SSH knows no signal of this name (`SIGINT`, `INT`). */
  signal(name: string): void;
  /** Gives it up: the channel is closed, and a terminal hangs up. */
  close(): void;
}

/**
 * What a carrier is asked for first: a process, or the agent's pipe (`openAgentPipe`, with the same
 * port).
 */
export type FirstRequest = ExecRequest | { readonly agentPort: number | undefined };

/** How to reach a dyno; holds no connection itself. */
export interface Transport {
  /**
   * For logs and `status`, without secrets: `ssh://user@host:22`, `tcp://127.0.0.1:9001`,
   * `command: kubectl`.
   */
  readonly target: string;
  /**
   * `first`: looked at when the carrier might begin with that before it is known to stand. It has
   * to be asked for all the same.
   */
  connect(signal: AbortSignal, first?: () => FirstRequest | undefined): Promise<Carrier>;
}
