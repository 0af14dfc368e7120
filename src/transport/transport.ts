import type { EpmuxError } from '../protocol/errors.ts';
import type { BytePipe } from '../runtime/pipe.ts';

/** A living way to one dyno, such as an SSH connection. Everything opened through it dies with it. */
export interface Carrier {
  readonly label: string;
  /** A new byte pipe to the agent. Fails with AGENT_MISSING where the carrier can tell that none listens. */
  openAgentPipe(signal: AbortSignal): Promise<BytePipe>;
  /** A byte pipe to a port of the dyno's loopback, where the carrier can have one (SSH): what `direct` needs. */
  readonly dial: ((port: number, signal: AbortSignal) => Promise<BytePipe>) | undefined;
  /** Called once, when the carrier is gone; undefined after `close`. */
  onClosed(listener: (error: EpmuxError | undefined) => void): void;
  close(): void;
}

/** How to reach a dyno; holds no connection itself. */
export interface Transport {
  /** For logs and `status`, without secrets: `ssh://user@host:22`, `tcp://127.0.0.1:9001`, `command: kubectl`. */
  readonly target: string;
  connect(signal: AbortSignal): Promise<Carrier>;
}
