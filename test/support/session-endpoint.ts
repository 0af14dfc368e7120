import type { SessionEvent, SessionPort } from '../../src/session/types.ts';
import { checkPattern, pattern } from './pattern.ts';
import type { Direction, SimulatedPipe } from './simulated-pipe.ts';
import type { Timeline } from './timeline.ts';

export interface EndpointOptions {
  /** Gives credit back by this rate; undefined: at once; 0: never. */
  readonly readsBytesPerMs?: number;
  /** False: the test answers OPENs itself. */
  readonly accepts?: boolean;
}

export interface StreamRecord {
  received: number;
  finished: boolean;
  closed: { code: number; text: string } | undefined;
  accepted: boolean;
}

type Listener = (event: SessionEvent) => void;

/**
 * One session with a simple application: it takes what comes, checks it against the stream's
 * pattern and keeps the books.
 */
export class Endpoint {
  readonly name: string;
  readonly session: SessionPort;
  readonly streams = new Map<number, StreamRecord>();
  /** Everything but data. */
  readonly log: SessionEvent[] = [];
  readonly #timeline: Timeline;
  readonly #closePipe: () => void;
  readonly #options: EndpointOptions;
  readonly #writing = new Map<
    number,
    { offset: number; until: number; finish: boolean; blocked: boolean }
  >();
  #listeners: Listener[] = [];
  #pipe: SimulatedPipe | undefined;
  #direction: Direction = 'toAgent';
  #readerFreeAt = 0;

  constructor(
    name: string,
    session: SessionPort,
    timeline: Timeline,
    closePipe: () => void,
    options: EndpointOptions = {},
  ) {
    this.name = name;
    this.session = session;
    this.#timeline = timeline;
    this.#closePipe = closePipe;
    this.#options = options;
  }

  get isOver(): boolean {
    return this.session.stats(this.#timeline.now).state === 'ended';
  }
  get isAttached(): boolean {
    return this.session.stats(this.#timeline.now).state === 'attached';
  }

  onEvent(listener: Listener): void {
    this.#listeners.push(listener);
  }

  events<T extends SessionEvent['type']>(type: T): Extract<SessionEvent, { type: T }>[] {
    return this.log.filter((event): event is Extract<SessionEvent, { type: T }> => {
      return event.type === type;
    });
  }

  usePipe(pipe: SimulatedPipe | undefined, direction: Direction): void {
    this.#pipe = pipe;
    this.#direction = direction;
  }

  losePipe(): void {
    this.#pipe = undefined;
    this.session.pipeClosed(this.#timeline.now);
    this.pump();
  }

  open(target = 'node/a', streamClass: 'interactive' | 'bulk' = 'interactive'): number {
    const id = this.session.open(target, streamClass, this.#timeline.now);
    this.#record(id);
    return id;
  }

  /**
   * Writes so many more bytes of the stream's pattern, as its buffer takes them; then finishes, if
   * asked to.
   */
  send(id: number, bytes: number, finish = false): void {
    const task = this.#writing.get(id) ?? { offset: 0, until: 0, finish: false, blocked: false };
    task.until += bytes;
    task.finish ||= finish;
    this.#writing.set(id, task);
    this.#feed(id);
    this.pump();
  }

  /** Bytes of the pattern handed to the session so far. */
  written(id: number): number {
    return this.#writing.get(id)?.offset ?? 0;
  }

  reset(id: number, code = 14): void {
    this.session.reset(id, { code, text: '' });
    this.#stopWriting(id);
    this.pump();
  }

  record(id: number): StreamRecord {
    const record = this.streams.get(id);
    if (record === undefined) throw new Error(`${this.name} knows no stream ${id}`);
    return record;
  }

  receive(chunk: Uint8Array): void {
    this.session.receive(chunk, this.#timeline.now);
    this.pump();
  }

  onRoom(): void {
    this.pump();
  }

  nextDeadline(): number {
    return this.session.nextDeadline();
  }

  onDeadline(): void {
    this.session.onDeadline(this.#timeline.now);
    this.pump();
  }

  /** What the driver does after every call. */
  pump(): void {
    this.#takeEvents();
    for (let sent = true; sent; ) {
      sent = false;
      const pipe = this.#pipe;
      if (pipe === undefined) return;
      const room = pipe.room(this.#direction);
      for (const piece of this.session.drain(this.#timeline.now, room)) {
        pipe.send(this.#direction, Uint8Array.from(piece));
        sent = true;
      }
      this.#takeEvents();
    }
  }

  #takeEvents(): void {
    for (let event = this.session.nextEvent(); event !== undefined; ) {
      this.#onEvent(event);
      event = this.session.nextEvent();
    }
  }

  #onEvent(event: SessionEvent): void {
    if (event.type !== 'data') this.log.push(event);
    if (event.type === 'opened') {
      this.#record(event.stream);
      if (this.#options.accepts !== false) this.session.accept(event.stream);
    } else if (event.type === 'data') {
      this.#onData(event.stream, event.chunk);
    } else if (event.type === 'accepted') {
      this.record(event.stream).accepted = true;
    } else if (event.type === 'finished') {
      this.record(event.stream).finished = true;
    } else if (event.type === 'closed') {
      const record = this.record(event.stream);
      if (record.closed !== undefined) throw new Error(`stream ${event.stream} closed twice`);
      record.closed = event.reason;
      this.#stopWriting(event.stream);
    } else if (event.type === 'writable') {
      const task = this.#writing.get(event.stream);
      if (task !== undefined) task.blocked = false;
      this.#feed(event.stream);
    } else if (event.type === 'pipe-failed') {
      this.#timeline.at(this.#timeline.now, this.#closePipe);
    } else if (event.type === 'ended') {
      for (const id of this.#writing.keys()) this.#stopWriting(id);
    }
    for (const listener of this.#listeners) listener(event);
  }

  #onData(id: number, chunk: Uint8Array): void {
    const record = this.record(id);
    if (record.closed !== undefined) return;
    if (record.finished) throw new Error(`data after FIN on stream ${id}`);
    checkPattern(id, record.received, chunk);
    record.received += chunk.length;
    const rate = this.#options.readsBytesPerMs;
    if (rate === 0) return;
    if (rate === undefined) {
      this.session.consumed(id, chunk.length, this.#timeline.now);
      return;
    }
    this.#readerFreeAt = Math.max(this.#readerFreeAt, this.#timeline.now) + chunk.length / rate;
    this.#timeline.at(this.#readerFreeAt, () => {
      this.session.consumed(id, chunk.length, this.#timeline.now);
      this.pump();
    });
  }

  #feed(id: number): void {
    const task = this.#writing.get(id);
    if (task === undefined || task.blocked) return;
    while (task.offset < task.until) {
      const length = Math.min(task.until - task.offset, 16_384);
      const more = this.session.write(id, pattern(id, task.offset, length));
      task.offset += length;
      task.blocked = !more;
      if (!more) return;
    }
    if (task.finish) this.session.finish(id);
  }

  #stopWriting(id: number): void {
    const task = this.#writing.get(id);
    if (task !== undefined) [task.until, task.finish] = [task.offset, false];
  }

  #record(id: number): void {
    this.streams.set(id, {
      received: 0,
      finished: false,
      closed: undefined,
      accepted: false,
    });
  }
}
