import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** The agent as it is sent to a dyno. */
export interface PackedAgent {
  readonly bytes: Uint8Array;
  /** Of the file as it is unpacked, in hex. */
  readonly sha256: string;
}

/**
 * The agent's file, read once: a process that runs for weeks pushes the agent that belongs to it,
 * though an update has put another in its place, or taken it away. Both reject as `readFile` does,
 * and try again the next time.
 */
export class AgentBundle {
  readonly #file: string;
  #code: Promise<Uint8Array> | undefined;
  #packed: Promise<PackedAgent> | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  async read(): Promise<Uint8Array> {
    this.#code ??= readFile(this.#file);
    try {
      return await this.#code;
    } catch (error) {
      this.#code = undefined;
      throw error;
    }
  }

  async pack(): Promise<PackedAgent> {
    const code = await this.read();
    this.#packed ??= packed(code);
    return this.#packed;
  }
}

async function packed(code: Uint8Array): Promise<PackedAgent> {
  const sha256 = createHash('sha256').update(code).digest('hex');
  return { bytes: await promisify(gzip)(code), sha256 };
}

/** The one beside this program. */
export const ownAgent = new AgentBundle(fileURLToPath(new URL('../../agent.mjs', import.meta.url)));
