/**
 * Two sessions and the path between them in simulated time: every test of it is exact and takes no
 * time of its own.
 */
import { FrameDecoder } from '../../src/protocol/decode.ts';
import type { AttachFrame } from '../../src/protocol/frames.ts';
import { SESSION_DEFAULTS, type SessionConfig } from '../../src/session/config.ts';
import { Session } from '../../src/session/session.ts';
import type { PeerInfo } from '../../src/session/types.ts';
import { Endpoint, type EndpointOptions } from './session-endpoint.ts';
import { type Direction, type PathOptions, SimulatedPipe } from './simulated-pipe.ts';
import { Timeline } from './timeline.ts';

export const PEER: PeerInfo = { minor: 0, software: 'test', bootId: '', hostName: 'test' };

export interface PairOptions extends Partial<PathOptions> {
  readonly config?: Partial<SessionConfig>;
  readonly daemonConfig?: Partial<SessionConfig>;
  readonly agentConfig?: Partial<SessionConfig>;
  readonly daemon?: EndpointOptions;
  readonly agent?: EndpointOptions;
  /**
   * After a pipe is gone the next one begins so much later; undefined: only `connect` makes one.
   */
  readonly reconnectMs?: number | undefined;
  /** Offsets, one a pipe, after which it is cut; a pipe beyond the list lives. */
  readonly cuts?: readonly Cut[];
}

export interface Cut {
  readonly direction: Direction;
  readonly afterBytes: number;
}

const FAST: PathOptions = {
  latencyMs: 5,
  bytesPerMs: Number.POSITIVE_INFINITY,
  roomBytes: 1 << 20,
};

export class Pair {
  readonly timeline = new Timeline();
  readonly daemon: Endpoint;
  readonly agent: Endpoint;
  pipe: SimulatedPipe | undefined;
  pipes = 0;
  #path: PathOptions;
  #reconnectMs: number | undefined;
  readonly #cuts: readonly Cut[];

  constructor(options: PairOptions = {}) {
    this.#path = { ...FAST, ...options };
    this.#reconnectMs = options.reconnectMs;
    this.#cuts = options.cuts ?? [];
    const base = { ...SESSION_DEFAULTS, ...options.config };
    const id = new Uint8Array(16).fill(7);
    const make = (role: 'daemon' | 'agent', own: Partial<SessionConfig> | undefined) =>
      new Session(role, { ...base, ...own }, id, this.now);
    this.daemon = new Endpoint(
      'daemon',
      make('daemon', options.daemonConfig),
      this.timeline,
      () => this.cut(),
      options.daemon,
    );
    this.agent = new Endpoint(
      'agent',
      make('agent', options.agentConfig),
      this.timeline,
      () => this.cut(),
      options.agent,
    );
  }

  get now(): number {
    return this.timeline.now;
  }

  setPath(path: Partial<PathOptions>): void {
    this.#path = { ...this.#path, ...path };
  }

  setReconnect(ms: number | undefined): void {
    this.#reconnectMs = ms;
  }

  /**
   * A new pipe: ATTACH travels to the agent, whose session takes it. An older pipe that is still
   * there is taken over.
   */
  connect(): void {
    if (this.daemon.isOver) return;
    const older = this.pipe;
    const pipe = new SimulatedPipe(this.timeline, this.#path, {
      toAgent: this.agent,
      toDaemon: this.daemon,
      onDead: () => this.#onDead(pipe),
    });
    older?.kill();
    this.pipe = pipe;
    const cut = this.#cuts[this.pipes++];
    if (cut !== undefined) pipe.cutAfter(cut.direction, cut.afterBytes);
    const attach = readAttach(this.daemon.session.beginAttach(this.now));
    this.daemon.session.peerKnown(PEER);
    this.daemon.usePipe(pipe, 'toAgent');
    this.timeline.at(this.now + this.#path.latencyMs, () => {
      if (!pipe.isAlive) return;
      const outcome = this.agent.session.acceptAttach(attach.received, PEER, this.now);
      this.agent.usePipe(outcome === 'taken' ? pipe : undefined, 'toDaemon');
      this.agent.pump();
      if (outcome !== 'taken') this.cut();
    });
    this.daemon.pump();
  }

  /**
   * The daemon attaches on a pipe and gives that up at once; what it sent reaches the agent `ms`
   * later all the same.
   */
  attachLate(ms: number): void {
    if (this.daemon.isOver) return;
    this.cut();
    const attach = readAttach(this.daemon.session.beginAttach(this.now));
    this.daemon.losePipe();
    this.timeline.at(this.now + ms, () => {
      const outcome = this.agent.session.acceptAttach(attach.received, PEER, this.now);
      if (outcome === 'overtaken') return;
      // The pipe that is there is closed for it, and it is closed itself.
      this.cut();
      this.agent.losePipe();
    });
  }

  /** The pipe dies now; what is on its way is lost. */
  cut(): void {
    this.pipe?.kill();
  }

  /** Bytes in flight and all that is sent from now on vanish, and nobody is told. */
  blackhole(): void {
    this.pipe?.swallow();
  }

  run(ms: number): void {
    this.timeline.runUntil(this.now + ms, [this.daemon, this.agent]);
  }

  /** Runs until `condition`; throws after `withinMs`. */
  runUntil(condition: () => boolean, withinMs = 60_000): void {
    const limit = this.now + withinMs;
    while (!condition()) {
      if (!this.timeline.step(limit, [this.daemon, this.agent])) {
        throw new Error(`not reached within ${withinMs} ms of simulated time`);
      }
    }
  }

  /** The machine of both ends sleeps: time passes and nothing runs. */
  sleep(ms: number): void {
    this.timeline.jump(ms);
  }

  #onDead(pipe: SimulatedPipe): void {
    if (this.pipe !== pipe) return;
    this.pipe = undefined;
    for (const end of [this.daemon, this.agent]) end.losePipe();
    if (this.#reconnectMs !== undefined) {
      this.timeline.at(this.now + this.#reconnectMs, () => {
        if (this.pipe === undefined) this.connect();
      });
    }
  }
}

function readAttach(bytes: Uint8Array): AttachFrame {
  let attach: AttachFrame | undefined;
  new FrameDecoder().push(bytes, {
    frame(frame) {
      if (frame.type === 'ATTACH') attach = frame;
    },
    data() {},
    reliable() {},
  });
  if (attach === undefined) throw new Error('no ATTACH');
  return attach;
}
