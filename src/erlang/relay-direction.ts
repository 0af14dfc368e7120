import { concat } from './bytes.ts';
import { HandshakeFrames, MessageRuns } from './framing.ts';
import type { NodeRole } from './handshake-pass.ts';

/** Which of a relay's two ends. */
export type Sender = 'node' | 'tunnel';

/** What a relay follows of what one end says. */
export class Direction {
  readonly role: NodeRole;
  readonly frames = new HandshakeFrames();
  readonly messages: MessageRuns;
  inMessages = false;

  constructor(role: NodeRole, maxHeldBytes: number) {
    this.role = role;
    this.messages = new MessageRuns(maxHeldBytes);
  }

  rest(): Uint8Array {
    return concat(this.frames.rest(), this.messages.rest());
  }
}
