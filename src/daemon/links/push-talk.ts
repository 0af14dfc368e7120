import { EpmuxError } from '../../protocol/errors.ts';
import type { BytePipe } from '../../runtime/pipe.ts';
import { PUSH_MARK } from './push-script.ts';

/** Start-up files of a shell may print some; what prints more is something else. */
const MAX_UNREAD_CHARS = 64 * 1_024;
const CHUNK_BYTES = 32 * 1_024;
const REFUSAL = new RegExp(`${PUSH_MARK}(none|failed)`);

/** What the dyno said, as push-script.ts has it. */
export interface PushAnswer {
  readonly word: string;
  readonly text: string;
}

/**
 * The talk with the program in the dyno over its stdin and stdout. One `next` or `send` at a time.
 */
export class PushTalk {
  readonly #pipe: BytePipe;
  #unread = '';
  #failure: EpmuxError | undefined;
  #wake: () => void = () => undefined;

  /** Starts the pipe. */
  constructor(pipe: BytePipe) {
    this.#pipe = pipe;
    pipe.start({
      onBytes: (chunk) => {
        this.#unread += Buffer.from(chunk).toString('latin1');
        if (this.#unread.length > MAX_UNREAD_CHARS) this.fail(tooMuch());
        this.#wake();
      },
      onWritable: () => this.#wake(),
      onEnd: () => undefined,
      onClosed: (error) => this.fail(error ?? endedEarly()),
    });
  }

  /** Ends what waits here. The first failure counts. */
  fail(error: EpmuxError): void {
    this.#failure ??= error;
    this.#wake();
  }

  async next(): Promise<PushAnswer> {
    for (;;) {
      const answer = this.#takeAnswer();
      if (answer !== undefined) return answer;
      await this.#news();
    }
  }

  /** Resolves when the pipe has taken all of it, or the dyno wants no more. */
  async send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && !this.#isRefused; at += CHUNK_BYTES) {
      const room = this.#pipe.write(bytes.subarray(at, at + CHUNK_BYTES));
      // Or that Node is there: a chunk more waits then.
      if (!room) await this.#roomOrRefusal();
    }
  }

  get #isRefused(): boolean {
    return REFUSAL.test(this.#unread);
  }

  /** What the program says last, before it ends, counts for more than its end. */
  async #roomOrRefusal(): Promise<void> {
    try {
      await this.#news();
    } catch (error) {
      if (!this.#isRefused) throw error;
    }
  }

  #takeAnswer(): PushAnswer | undefined {
    for (;;) {
      const end = this.#unread.indexOf('\n');
      if (end < 0) return undefined;
      const line = this.#unread.slice(0, end).trim();
      this.#unread = this.#unread.slice(end + 1);
      const at = line.indexOf(PUSH_MARK);
      if (at < 0) continue;
      const [word = '', ...rest] = line.slice(at + PUSH_MARK.length).split(' ');
      return { word, text: rest.join(' ') };
    }
  }

  #news(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#wake = () => {
        this.#wake = () => undefined;
        if (this.#failure === undefined) resolve();
        else reject(this.#failure);
      };
      if (this.#failure !== undefined) this.#wake();
    });
  }
}

function tooMuch(): EpmuxError {
  return new EpmuxError('AGENT_MISSING', 'what its shell runs is something else');
}

function endedEarly(): EpmuxError {
  return new EpmuxError('AGENT_MISSING', 'its shell ran nothing');
}
