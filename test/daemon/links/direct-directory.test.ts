import assert from 'node:assert/strict';
import { DirectDirectory } from '../../../src/daemon/links/direct-directory.ts';
import { encodeNamesAnswer } from '../../../src/erlang/epmd-server.ts';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MemoryPipe } from '../../support/memory-pipe.ts';

const EPMD_PORT = 4369;
const POLL_MS = 5_000;

/** An epmd with one node answers. */
class EpmdPipe extends MemoryPipe {
  readonly #answer: Uint8Array;

  constructor(port: number) {
    super();
    this.#answer = encodeNamesAnswer({ epmdPort: EPMD_PORT, names: [{ name: 'app', port }] });
  }

  override write(): boolean {
    queueMicrotask(() => {
      this.handlers?.onBytes(this.#answer);
      this.handlers?.onEnd();
    });
    return true;
  }
}

describe('the directory without an agent', () => {
  let clock: ManualClock;
  let askedAt: number[];
  let port: number;
  let directory: DirectDirectory;

  beforeEach(() => {
    clock = new ManualClock();
    askedAt = [];
    port = 40_000;
    directory = new DirectDirectory({ dial, epmdPort: EPMD_PORT, most: 10, clock });
  });

  /** The node takes no connection. */
  const dial = async (to: number): Promise<MemoryPipe> => {
    if (to !== EPMD_PORT) {
      askedAt.push(clock.now() / 1_000);
      throw new EpmuxError('CONNECT_FAILED', 'nobody there');
    }
    return new EpmdPipe(port);
  };
  const poll = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time += 1) {
      const { directory: told } = await directory.ask(new AbortController().signal);
      assert.deepEqual(
        told.nodes.map(({ name }) => name),
        ['app'],
      );
      clock.advance(POLL_MS);
    }
  };

  it('asks a node that does not tell its name four times, then each minute', async () => {
    await poll(36);
    assert.deepEqual(askedAt, [0, 5, 10, 30, 90, 150]);
  });

  it('asks one that came back on another port at once, and as often', async () => {
    await poll(12);
    askedAt = [];
    port += 1;
    const backAt = clock.now() / 1_000;
    await poll(12);
    assert.deepEqual(
      askedAt.map((at) => at - backAt),
      [0, 5, 10, 30],
    );
  });
});
