import { encodeFrame } from '../protocol/encode.ts';
import type { Frame, FrameOf } from '../protocol/frames.ts';
import type { Acknowledger } from './acknowledger.ts';
import type { FrameMemory } from './frame-memory.ts';
import type { Heartbeat } from './heartbeat.ts';

/** The frames that belong to one pipe and go ahead of the reliable ones. */
export class PipeFrames {
  readonly #acks: Acknowledger;
  readonly #heartbeat: Heartbeat;
  readonly #memory: FrameMemory;
  #attached: FrameOf<'ATTACHED'> | undefined;

  constructor(acks: Acknowledger, heartbeat: Heartbeat, memory: FrameMemory) {
    this.#acks = acks;
    this.#heartbeat = heartbeat;
    this.#memory = memory;
  }

  /** The agent's answer to ATTACH goes out before anything else. */
  answerAttach(kind: 'new' | 'resumed', now: number): void {
    this.#attached = { type: 'ATTACHED', kind, received: this.#acks.take(now) };
  }

  /**
   * What goes out now, as one piece; undefined: nothing. An acknowledgement rides along with
   * anything else (`company`) before it is due.
   */
  take(now: number, company: boolean): Uint8Array | undefined {
    let said = this.#attached === undefined ? undefined : encodeFrame(this.#attached);
    this.#attached = undefined;
    for (let token = this.#heartbeat.takePong(); token !== undefined; ) {
      said = behind(said, { type: 'PONG', token });
      token = this.#heartbeat.takePong();
    }
    const token = this.#heartbeat.takePing(now);
    const rides = this.#acks.pending && (company || said !== undefined || token !== undefined);
    if (this.#acks.due || rides) {
      said = behind(said, { type: 'ACK', received: this.#acks.take(now) });
    }
    if (token !== undefined) {
      said = behind(said, { type: 'PING', token });
      // The other end has been silent or this one busy for seconds: a bulk that is over leaves no
      // memory behind.
      this.#memory.trim();
    }
    return said;
  }
}

/** Mostly there is one frame alone, or none. */
function behind(before: Uint8Array | undefined, frame: Frame): Uint8Array {
  const encoded = encodeFrame(frame);
  return before === undefined ? encoded : Buffer.concat([before, encoded]);
}
