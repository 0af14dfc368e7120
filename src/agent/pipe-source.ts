/** Where pipes come from: a listening port, or this process's stdin and stdout. */
export interface PipeSource {
  /** The port it listens on, if it does. */
  readonly port: number | undefined;
  /** Settles when no further pipe can come; rejects when the only one was refused. */
  readonly ended: Promise<void>;
  /** Takes no more pipes, and gives those that are there so long to bring out what they hold. */
  stop(withinMs: number): Promise<void>;
}
