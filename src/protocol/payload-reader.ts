import { EpmuxError } from './errors.ts';

const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenientText = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Reads fields off one payload that is there in full; whatever does not fit is a PROTOCOL error.
 */
export class PayloadReader {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #at = 0;

  /** `what` names the payload in errors. */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#number(1);
  }

  u16(): number {
    return this.#number(2);
  }

  u32(): number {
    return this.#number(4);
  }

  /** A position or limit: 64 bits on the wire, below 2^53 by rule. */
  position(): number {
    const high = this.#number(4);
    const low = this.#number(4);
    const value = high * 2 ** 32 + low;
    if (!Number.isSafeInteger(value)) throw this.malformed('a position of 2^53 or more');
    return value;
  }

  token(): bigint {
    return (BigInt(this.#number(4)) << 32n) | BigInt(this.#number(4));
  }

  /** A copy, so that it may outlive the payload. */
  bytes(length: number): Uint8Array {
    return new Uint8Array(this.#take(length));
  }

  hex(length: number): string {
    return Buffer.from(this.#take(length)).toString('hex');
  }

  /** Text that means something to a program: ill-formed UTF-8 is refused. */
  text(length: number): string {
    const bytes = this.#take(length);
    try {
      return strictText.decode(bytes);
    } catch (cause) {
      throw this.malformed('text that is not UTF-8', cause);
    }
  }

  /** Text for a person: what is ill-formed is replaced. */
  personalText(): string {
    return lenientText.decode(this.#take(this.left));
  }

  malformed(why: string, cause?: unknown): EpmuxError {
    return new EpmuxError('PROTOCOL', `malformed ${this.#what}: ${why}`, { cause });
  }

  #number(size: 1 | 2 | 4): number {
    let value = 0;
    for (const byte of this.#take(size)) value = value * 256 + byte;
    return value;
  }

  #take(length: number): Uint8Array {
    if (length > this.left) throw this.malformed('it is too short');
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return taken;
  }
}
