import type { Laptop } from './laptop.ts';
import type { StandInNode } from './stand-in-node.ts';

/** What came of a call. */
export interface CallResult {
  readonly value: string;
  /** How often a node was lost in the meantime. */
  readonly nodedowns: number;
}

/** Makes one slow call at a time, always to the same node. */
export interface Caller {
  /** Such as `rpc:call(my_app@d1f0c9a7, timer, sleep, [2000])`. */
  describe(ms: number): string;
  /** Resolves when a call that takes so long is on its way. */
  begin(ms: number): Promise<void>;
  returned(): Promise<CallResult>;
  /** What a call gives when all is well. */
  readonly expected: string;
}

const PING_LIMIT_MS = 20_000;

/**
 * Where there is no Erlang to call from: a ping that the stand-in node takes its time to answer.
 */
export function slowPing(
  node: StandInNode,
  name: string,
  laptop: Laptop,
  interrupted: AbortSignal,
): Caller {
  let pong: Promise<number> | undefined;
  return {
    expected: 'pong',
    describe: (ms) => `a ping of ${name} that takes ${ms} ms`,
    async begin(ms) {
      node.answerMs = ms;
      pong = laptop.ping(name, PING_LIMIT_MS);
      // Whoever asks for the result is told of its failure.
      pong.catch(() => {});
      await Promise.race([node.asked(interrupted), pong]);
    },
    async returned() {
      await pong;
      node.answerMs = 0;
      return { value: 'pong', nodedowns: node.lostCalls };
    },
  };
}
