/** The last bytes of a text stream, within a bound. */
export class TailText {
  readonly #limitBytes: number;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > 2 * this.#limitBytes) this.#compact();
  }

  /** The last `most` lines that are not empty, without what a terminal would take as a command. */
  lines(most: number): string[] {
    this.#compact();
    return Buffer.concat(this.#chunks)
      .toString('utf8')
      .split(/[\r\n]+/)
      .map((line) => line.replaceAll(/\p{Cc}/gu, ' ').trim())
      .filter((line) => line !== '')
      .slice(-most);
  }

  #compact(): void {
    const whole = Buffer.concat(this.#chunks);
    const last = Buffer.from(whole.subarray(Math.max(0, whole.length - this.#limitBytes)));
    this.#chunks = [last];
    this.#bytes = last.length;
  }
}
