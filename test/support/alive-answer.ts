import { type EpmdAnswer, EpmdTag } from '../../src/erlang/epmd.ts';

/** epmd's answer to a registration: nothing of epmux registers with another epmd. */
export function aliveAnswer(): EpmdAnswer<{ readonly result: number; readonly creation: number }> {
  let held = Buffer.alloc(0);
  return {
    push(chunk) {
      held = Buffer.concat([held, chunk]);
      const isWide = held[0] === EpmdTag.aliveX;
      if (held.length < (isWide ? 6 : 4)) return undefined;
      const creation = isWide ? held.readUInt32BE(2) : held.readUInt16BE(2);
      return { result: held.readUInt8(1), creation };
    },
    end() {
      throw new Error(`epmd closed the connection after ${held.length} bytes of its answer`);
    },
  };
}
