/** What leads the local nodes to the far end: epmux, or one of those that it is compared with. */
export interface Leading {
  /** For local nodes. */
  readonly env: Readonly<Record<string, string>>;
  readonly flags: readonly string[];
  /** Where a local node asks for the app's port, and finds it. */
  readonly address: string;
  readonly epmdPort: number;
  /** The cookie of local nodes. */
  readonly cookie: string;
}

export interface PeerProcesses {
  /** By what they are called in the verdict; their memory and descriptors are judged. */
  readonly judged: ReadonlyMap<string, number>;
  /** On the laptop: what is frozen when it sleeps. */
  readonly client: readonly number[];
  readonly agent: readonly number[];
}

export interface Peer {
  /** Resolves when it says that it is ready. */
  up(): Promise<Leading>;
  processes(): PeerProcesses;
  /** Kills the agent and starts another; false: it has none. */
  restartAgent(): Promise<boolean>;
  /** What a person does who waits no longer: ends it and starts it anew. */
  intervene(): Promise<void>;
  /** How often it ended by itself and was started again. */
  readonly restarts: number;
  /** How often a session was taken up again, where it tells. */
  resumes(): Promise<number | undefined>;
  /** For a failure's report. */
  log(): string;
  /** All that its processes have logged, where that is more. */
  wholeLog?(): string;
  stop(): Promise<void>;
}
