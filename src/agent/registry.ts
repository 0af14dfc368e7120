import { WireCode } from '../protocol/constants.ts';
import type { Cancel, Clock } from '../runtime/clock.ts';
import { refusePipe } from '../runtime/linger.ts';
import type { Logger } from '../runtime/logger.ts';
import type { OpenedAgentPipe } from '../runtime/open-session-pipe.ts';
import { SessionDriver } from '../runtime/session-driver.ts';
import type { IncomingStream } from '../runtime/session-stream.ts';
import type { Directory, EndReason, SessionPort } from '../session/types.ts';
import type { AgentLimits } from './limits.ts';

/**
 * How often it is looked at what the sessions hold, while one is detached: streams fill up after
 * their session has lost its connection.
 */
const CHECK_MS = 1_000;
const CHECK_SOON_MS = 100;

export interface RegistryOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** `id`: 32 hexadecimal digits. */
  readonly createSession: (id: string) => SessionPort;
  /** What a session that begins or comes back is told at once. */
  readonly directory: () => Directory | undefined;
  readonly onIncoming: (stream: IncomingStream) => void;
  /** How many sessions have a pipe; called when that changes. */
  readonly onAttached: (sessions: number) => void;
  /** A session has ended, and so many are left. */
  readonly onEnded: (reason: EndReason, left: number) => void;
  readonly limits: Pick<AgentLimits, 'sessions' | 'heldBytes'>;
}

interface Entry {
  readonly id: string;
  readonly driver: SessionDriver;
  /** On the clock's scale; undefined while it has a pipe. */
  detachedAt: number | undefined;
}

/** The sessions of this agent by their id. Each ends by itself when its grace is over. */
export class SessionRegistry {
  readonly #options: RegistryOptions;
  readonly #sessions = new Map<string, Entry>();
  #attached = 0;
  /** When a session lost its pipe last. */
  #lostAt = Number.NEGATIVE_INFINITY;
  #check: Cancel | undefined;

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /**
   * Takes a pipe whose other end has proved itself. A session that is known takes it over from its
   * older pipe.
   */
  attach(opened: OpenedAgentPipe): void {
    const { sessionId, kind } = opened.attach;
    let entry = this.#sessions.get(sessionId);
    if (entry === undefined && kind === 'resume') {
      this.#refuse(opened, { code: WireCode.SESSION_UNKNOWN, text: 'no such session here' });
      return;
    }
    if (entry === undefined && !this.#makeRoom()) {
      const text = `${this.#sessions.size} sessions are attached already`;
      this.#refuse(opened, { code: WireCode.BUSY, text });
      return;
    }
    entry ??= this.#create(sessionId);
    const outcome = entry.driver.acceptAttach(opened);
    if (outcome === 'taken') {
      entry.detachedAt = undefined;
      this.#options.log.info('a session is attached', {
        session: short(sessionId),
        kind,
        from: opened.pipe.label,
        peer: opened.peer.software,
        host: opened.peer.hostName,
      });
    } else if (outcome === 'overtaken') {
      const fields = { session: short(sessionId), from: opened.pipe.label };
      this.#options.log.info('a connection came too late for its session', fields);
    }
    this.#changed();
  }

  publish(directory: Directory): void {
    for (const { driver } of this.#sessions.values()) driver.setDirectory(directory);
  }

  /** Ends every session. */
  goodbye(reason: EndReason): void {
    for (const { driver } of this.#sessions.values()) driver.goodbye(reason);
  }

  #create(id: string): Entry {
    const { clock, log, onIncoming } = this.#options;
    const entry: Entry = {
      id,
      detachedAt: undefined,
      driver: new SessionDriver({
        session: this.#options.createSession(id),
        clock,
        handlers: {
          onAttached: () => {},
          onPipeLost: (error) => {
            entry.detachedAt = clock.now();
            this.#lostAt = entry.detachedAt;
            log.info('a session lost its connection', { session: short(id), why: error.message });
            this.#keepWithinMemory();
            this.#changed();
          },
          onEnded: (reason, error) => {
            // One that had to give way is off the list already, and its id may be in use again.
            if (this.#sessions.get(id) === entry) this.#sessions.delete(id);
            const why = error?.message ?? reason.text;
            log.info('a session ended', { session: short(id), code: reason.code, why });
            this.#changed();
            this.#options.onEnded(reason, this.#sessions.size);
          },
          onDirectory: () => {},
          onIncoming,
          onRtt: () => {},
          onFault: (error) => log.error('a stream was ended for a bug', { why: error.message }),
        },
      }),
    };
    this.#sessions.set(id, entry);
    const directory = this.#options.directory();
    if (directory !== undefined) entry.driver.setDirectory(directory);
    return entry;
  }

  /** For one session more: the one that has been without a pipe for longest gives way. */
  #makeRoom(): boolean {
    if (this.#sessions.size < this.#options.limits.sessions) return true;
    return this.#endOldestDetached('another session needs its place');
  }

  #endOldestDetached(text: string): boolean {
    let oldest: Entry | undefined;
    for (const entry of this.#sessions.values()) {
      if (entry.detachedAt === undefined) continue;
      if (entry.detachedAt < (oldest?.detachedAt ?? Number.POSITIVE_INFINITY)) oldest = entry;
    }
    if (oldest === undefined) return false;
    this.#options.log.warn('a session without a connection is given up', {
      session: short(oldest.id),
      why: text,
    });
    // Gone at once: what its driver still has to say comes in a later turn.
    this.#sessions.delete(oldest.id);
    oldest.driver.goodbye({ code: WireCode.BUSY, text });
    return true;
  }

  #changed(): void {
    let attached = 0;
    for (const { detachedAt } of this.#sessions.values()) if (detachedAt === undefined) attached++;
    if (attached !== this.#attached) {
      this.#attached = attached;
      this.#options.onAttached(attached);
    }
    if (this.#sessions.size > attached) this.#check ??= this.#wakeToCheck();
  }

  #wakeToCheck(): Cancel {
    const { clock } = this.#options;
    const now = clock.now();
    const soon = now - this.#lostAt < CHECK_MS;
    return clock.wakeAt(now + (soon ? CHECK_SOON_MS : CHECK_MS), () => {
      this.#check = undefined;
      this.#keepWithinMemory();
      this.#changed();
    });
  }

  #keepWithinMemory(): void {
    for (;;) {
      let bytes = 0;
      for (const { driver } of this.#sessions.values()) bytes += driver.stats().heldBytes;
      if (bytes <= this.#options.limits.heldBytes) return;
      if (!this.#endOldestDetached(`all sessions together hold ${bytes} bytes`)) return;
    }
  }

  #refuse({ pipe, attach }: OpenedAgentPipe, reason: EndReason): void {
    this.#options.log.info('a session is refused', {
      session: short(attach.sessionId),
      from: pipe.label,
      why: reason.text,
    });
    refusePipe(pipe, reason, this.#options.clock);
  }
}

/**
 * Enough of a session's id to follow it in a log; all of it would let a reader take it over, had
 * they the secret.
 */
function short(id: string): string {
  return id.slice(0, 8);
}
