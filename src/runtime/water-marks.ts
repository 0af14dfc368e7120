/** Full from here on. A drain batch of the session and one more fit below. */
const HIGH_BYTES = 128 * 1024;
/** Room again: early enough that the carrier never runs dry. */
const LOW_BYTES = 64 * 1024;

/**
 * Says when a carrier's owner should stop to write and when it may go on. The bytes given are those
 * that wait in this process.
 */
export class WaterMarks {
  #full = false;

  /** False: full, and `onRoom` will say when there is room. */
  onWritten(bufferedBytes: number): boolean {
    this.#full ||= bufferedBytes >= HIGH_BYTES;
    return !this.#full;
  }

  /** Something has left. True: there is room again, which is to be told once. */
  onRoom(bufferedBytes: number): boolean {
    if (!this.#full || bufferedBytes > LOW_BYTES) return false;
    this.#full = false;
    return true;
  }
}
