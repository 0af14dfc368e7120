import type { ClientChannel } from 'ssh2';
import { windowOf } from './ssh2-inside.ts';

/** As much as a session may have in flight. */
const WINDOW_BYTES = 16 * 1024 * 1024;
/** It is renewed when so much of it is used. */
const RENEWED_BYTES = 1024 * 1024;

/**
 * ssh2 gives each channel a window of 2 MiB and renews it when half is used: at 50 ms there and
 * back no more than 20 to 40 MB/s arrive. The function that this gives keeps it wide when it is
 * called at once and then for each packet that was taken; one whose packets nobody takes is not
 * renewed. Undefined where ssh2 is made otherwise inside.
 */
export function widerWindow(channel: ClientChannel): (() => void) | undefined {
  const inside = windowOf(channel);
  if (inside === undefined) return undefined;
  const { incoming, outgoing, protocol } = inside;
  return () => {
    const used = WINDOW_BYTES - incoming.window;
    if (used < RENEWED_BYTES || outgoing.state === 'closing' || outgoing.state === 'closed') return;
    incoming.window = WINDOW_BYTES;
    protocol.channelWindowAdjust(outgoing.id, used);
  };
}
