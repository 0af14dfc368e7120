import { WireCode } from '../protocol/constants.ts';
import { EpmuxError } from '../protocol/errors.ts';
import { wireError } from '../protocol/wire-codes.ts';
import type {
  AttachOutcome,
  Directory,
  EndReason,
  SessionPort,
  SessionStats,
  StreamClass,
} from '../session/types.ts';
import type { Clock } from './clock.ts';
import { DeadlineTimer } from './deadline-timer.ts';
import type { EventPump } from './event-pump.ts';
import { faultOf, throwAlone } from './fault.ts';
import { keepRead } from './lent-reads.ts';
import { refusePipe } from './linger.ts';
import type { OpenedAgentPipe, OpenedDaemonPipe } from './open-session-pipe.ts';
import { pumpEvents } from './session-events.ts';
import type { SessionDriverHandlers } from './session-handlers.ts';
import { SessionPipe } from './session-pipe.ts';
import type { SessionStream } from './session-stream.ts';
import { SessionTurns } from './session-turns.ts';
import { SleepWatch } from './sleep-watch.ts';
import { StreamTable } from './stream-table.ts';

export interface SessionDriverOptions {
  readonly session: SessionPort;
  readonly clock: Clock;
  readonly handlers: SessionDriverHandlers;
}

/** GOODBYE and the little that may stand before it. */
const LAST_WORDS_BYTES = 64 * 1024;

/** What the other end of a pipe that is not taken is told. */
const NOT_TAKEN = {
  overtaken: 'the session has gone on without this connection',
  ended: 'the session can not be resumed from there',
} as const satisfies Record<Exclude<AttachOutcome, 'taken'>, string>;

/**
 * Moves bytes and time between one session, at most one pipe at once, and the owners of its
 * streams.
 */
export class SessionDriver {
  readonly #session: SessionPort;
  readonly #clock: Clock;
  readonly #handlers: SessionDriverHandlers;
  readonly #sleep: SleepWatch;
  readonly #streams: StreamTable;
  readonly #timer: DeadlineTimer;
  readonly #pumpOfEvents: EventPump;
  readonly #turns: SessionTurns;
  #pipe: SessionPipe | undefined;
  /** An ATTACH has been asked for and its pipe is not here yet. */
  #attaching = false;
  #ended = false;

  constructor(options: SessionDriverOptions) {
    this.#session = options.session;
    this.#clock = options.clock;
    this.#handlers = options.handlers;
    this.#sleep = new SleepWatch(options.clock);
    this.#streams = new StreamTable({
      session: this.#session,
      clock: this.#clock,
      schedule: () => this.#turns.schedule(),
      onFault: (error) => this.#fault(error),
    });
    this.#pumpOfEvents = pumpEvents({
      session: this.#session,
      streams: this.#streams,
      handlers: this.#handlers,
      onPipeFailed: (error) => this.#onPipeFailed(error),
      onEnded: (reason, error) => this.#onEnded(reason, error),
      onFault: (error) => this.#fault(error),
    });
    this.#turns = new SessionTurns({
      session: this.#session,
      clock: this.#clock,
      pipe: () => this.#pipe,
      pump: () => this.#pump(),
    });
    this.#timer = new DeadlineTimer(
      this.#clock,
      () => (this.#ended ? Number.POSITIVE_INFINITY : this.#session.nextDeadline()),
      () => this.#onTimer(),
    );
    this.#timer.arm();
  }

  /**
   * Daemon: the ATTACH for a pipe that is being opened, one at a time; a pipe that is still there
   * is closed.
   */
  beginAttach(): Uint8Array {
    this.detach();
    this.#attaching = true;
    const frame = this.#session.beginAttach(this.#clock.now());
    this.#turns.schedule();
    return frame;
  }

  /** Daemon: no pipe comes of the last `beginAttach`. */
  attachFailed(): void {
    if (this.#attaching) this.detach();
  }

  /**
   * Daemon: the agent has proved itself on the pipe that carried `beginAttach`'s frame. False: the
   * session gave that attempt up meanwhile, and the pipe is closed.
   */
  attach(opened: OpenedDaemonPipe): boolean {
    if (this.#ended || !this.#attaching) {
      opened.pipe.close();
      return false;
    }
    this.#attaching = false;
    this.#session.peerKnown(opened.peer);
    this.#take(opened);
    return true;
  }

  /**
   * Agent: takes the pipe on which this session's ATTACH came, in place of an older one; else its
   * other end is told why not.
   */
  acceptAttach(opened: OpenedAgentPipe): AttachOutcome {
    const { peer, attach } = opened;
    const outcome = this.#ended
      ? 'ended'
      : this.#session.acceptAttach(attach.received, peer, this.#clock.now());
    if (outcome !== 'overtaken') this.#letGo();
    if (outcome === 'taken') {
      this.#take(opened);
    } else {
      const reason = { code: WireCode.POSITION, text: NOT_TAKEN[outcome] };
      refusePipe(opened.pipe, reason, this.#clock);
      this.#turns.schedule();
    }
    return outcome;
  }

  /** Closes the pipe, if there is one; the session stays. Nobody is told. */
  detach(): void {
    if (this.#pipe === undefined && !this.#attaching) return;
    this.#letGo();
    this.#session.pipeClosed(this.#clock.now());
    this.#turns.schedule();
  }

  open(target: string, streamClass: StreamClass): SessionStream {
    if (this.#ended) throw new EpmuxError('SESSION_LOST', 'the session has ended');
    this.#turns.schedule();
    const id = this.#session.open(target, streamClass, this.#clock.now());
    return this.#streams.add({ id, target, streamClass, incoming: false });
  }

  /**
   * The network may have changed or the machine slept: finds out within seconds whether the pipe is
   * alive.
   */
  probe(): void {
    this.#session.probe(this.#clock.now());
    this.#turns.schedule();
  }

  setDirectory(directory: Directory): void {
    if (this.#ended) return;
    this.#session.setDirectory(directory);
    this.#turns.schedule();
  }

  /** Ends the session and tells the other end, if it can be told. */
  goodbye(reason: EndReason): void {
    if (this.#ended) return;
    this.#session.goodbye(reason);
    this.#turns.schedule();
  }

  stats(): SessionStats {
    return this.#session.stats(this.#clock.now());
  }

  #letGo(): void {
    const pipe = this.#pipe;
    this.#attaching = false;
    this.#pipe = undefined;
    pipe?.close();
  }

  #take(opened: { readonly pipe: OpenedDaemonPipe['pipe']; readonly rest: Uint8Array }): void {
    this.#pipe = new SessionPipe(opened.pipe, this.#clock, {
      onBytes: (chunk) => {
        if (this.#pumpOfEvents.running) keepRead();
        this.#session.receive(chunk, this.#clock.now());
        this.#pump();
        this.#turns.schedule();
      },
      onWritable: () => this.#turns.schedule(),
      onLost: (error) => this.#pipeLost(error),
    });
    if (opened.rest.length > 0) this.#session.receive(opened.rest, this.#clock.now());
    this.#turns.schedule();
  }

  #pipeLost(error: EpmuxError): void {
    this.#pipe = undefined;
    this.#session.pipeClosed(this.#clock.now());
    this.#pump();
    if (!this.#ended) this.#tellLost(error);
  }

  #pump(): void {
    this.#pumpOfEvents.run();
    this.#timer.arm();
  }

  #fault(error: EpmuxError): void {
    if (this.#handlers.onFault !== undefined) this.#handlers.onFault(error);
    else throwAlone(error);
  }

  #onPipeFailed(error: EpmuxError): void {
    const pipe = this.#pipe;
    this.#attaching = false;
    this.#pipe = undefined;
    pipe?.close(error);
    this.#session.pipeClosed(this.#clock.now());
    if (pipe !== undefined) this.#tellLost(error);
  }

  /** From the pipe as well as from an event: neither may be broken by its listener. */
  #tellLost(error: EpmuxError): void {
    try {
      this.#handlers.onPipeLost(error);
    } catch (cause) {
      this.#fault(faultOf('a handler of a lost pipe', cause));
    }
  }

  #onEnded(reason: EndReason, error: EpmuxError | undefined): void {
    this.#ended = true;
    this.#attaching = false;
    this.#timer.cancel();
    const pipe = this.#pipe;
    this.#pipe = undefined;
    pipe?.write(this.#session.drain(this.#clock.now(), LAST_WORDS_BYTES));
    pipe?.closeWhenSent();
    this.#streams.closeAll(error ?? wireError(reason));
    this.#handlers.onEnded(reason, error);
  }

  #onTimer(): void {
    const now = this.#clock.now();
    if (this.#sleep.slept()) this.#session.probe(now);
    if (now >= this.#session.nextDeadline()) this.#session.onDeadline(now);
    this.#pump();
    this.#turns.schedule();
  }
}
