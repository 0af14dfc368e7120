import type {
  AttachOutcome,
  Directory,
  EndReason,
  PeerInfo,
  SessionEvent,
  SessionPort,
  SessionStats,
  StreamClass,
} from '../../src/session/types.ts';

/** A session of which the test says what happens, and which writes down what is asked of it. */
export class ScriptedSession implements SessionPort {
  readonly calls: string[] = [];
  readonly events: SessionEvent[] = [];
  /** What the next drains give. */
  outgoing: Uint8Array[] = [];
  received = '';
  readonly rooms: number[] = [];
  mostQueued = 128 * 1024;
  deadline = Number.POSITIVE_INFINITY;
  takesWrites = true;
  outcome: AttachOutcome = 'taken';
  #lastId = -1;

  beginAttach(): Uint8Array {
    this.calls.push('beginAttach');
    return Uint8Array.of(3);
  }
  peerKnown(peer: PeerInfo): void {
    this.calls.push(`peerKnown ${peer.software}`);
  }
  acceptAttach(received: number): AttachOutcome {
    this.calls.push(`acceptAttach ${received}`);
    return this.outcome;
  }
  receive(chunk: Uint8Array): void {
    this.received += Buffer.from(chunk).toString();
  }
  drain(_now: number, roomBytes: number): readonly Uint8Array[] {
    this.rooms.push(roomBytes);
    const batch: Uint8Array[] = [];
    let bytes = 0;
    for (let next = this.outgoing[0]; next !== undefined && bytes < roomBytes; ) {
      batch.push(next);
      bytes += next.length;
      this.outgoing.shift();
      next = this.outgoing[0];
    }
    return batch;
  }
  mostQueuedBytes(): number {
    return this.mostQueued;
  }
  nextDeadline(): number {
    return this.deadline;
  }
  onDeadline(now: number): void {
    this.calls.push(`onDeadline ${now}`);
    this.deadline = Number.POSITIVE_INFINITY;
  }
  probe(): void {
    this.calls.push('probe');
  }
  pipeClosed(): void {
    this.calls.push('pipeClosed');
  }
  nextEvent(): SessionEvent | undefined {
    return this.events.shift();
  }
  open(target: string, streamClass: StreamClass): number {
    this.calls.push(`open ${target} ${streamClass}`);
    this.#lastId += 2;
    return this.#lastId;
  }
  accept(stream: number): void {
    this.calls.push(`accept ${stream}`);
  }
  reject(stream: number, reason: EndReason): void {
    this.calls.push(`reject ${stream} ${reason.code}`);
  }
  write(stream: number, chunk: Uint8Array): boolean {
    this.calls.push(`write ${stream} ${Buffer.from(chunk).toString()}`);
    return this.takesWrites;
  }
  bufferedBytes(stream: number): number {
    return stream * 100;
  }
  finish(stream: number): void {
    this.calls.push(`finish ${stream}`);
  }
  reset(stream: number, reason: EndReason): void {
    this.calls.push(`reset ${stream} ${reason.code} ${reason.text}`.trim());
  }
  consumed(stream: number, bytes: number): void {
    this.calls.push(`consumed ${stream} ${bytes}`);
  }
  setDirectory(directory: Directory): void {
    this.calls.push(`setDirectory ${directory.epoch}`);
  }
  goodbye(reason: EndReason): void {
    this.calls.push(`goodbye ${reason.code}`);
    this.events.push({ type: 'ended', reason, error: undefined });
  }
  stats(): SessionStats {
    return {
      state: 'attached',
      rttMs: 7,
      streams: 0,
      bytesIn: 1,
      bytesOut: 2,
      resumes: 0,
      outageMs: 0,
      unackedBytes: 0,
      heldBytes: 0,
    };
  }
}
