import type { ClientChannel } from 'ssh2';

/** As much as a session may have in flight. */
const WINDOW_BYTES = 16 * 1024 * 1024;
/** It is renewed when so much of it is used. */
const RENEWED_BYTES = 1024 * 1024;

/** Where ssh2 keeps what it counts of a channel, and says it to the server. */
interface Innards {
  readonly incoming: { window: number };
  readonly outgoing: { readonly id: number; readonly state: string };
  readonly _client: {
    readonly _protocol: { channelWindowAdjust(channel: number, bytes: number): void };
  };
}

/**
 * ssh2 gives each channel a window of 2 MiB and renews it when half is used: at 50 ms there and back no more than 20 to 40 MB/s arrive. The function that this
 * gives keeps it wide when it is called at once and then for each packet that was taken; one whose packets nobody takes is not renewed. Undefined where ssh2
 * is made otherwise inside.
 */
export function widerWindow(channel: ClientChannel): (() => void) | undefined {
  const innards = channel as unknown as Innards;
  if (!isKnown(innards)) return undefined;
  const { incoming, outgoing } = innards;
  return () => {
    const used = WINDOW_BYTES - incoming.window;
    if (used < RENEWED_BYTES || outgoing.state === 'closing' || outgoing.state === 'closed') return;
    incoming.window = WINDOW_BYTES;
    innards._client._protocol.channelWindowAdjust(outgoing.id, used);
  };
}

function isKnown({ incoming, outgoing, _client }: Partial<Innards>): boolean {
  return (
    typeof incoming?.window === 'number' &&
    typeof outgoing?.id === 'number' &&
    typeof outgoing.state === 'string' &&
    typeof _client?._protocol?.channelWindowAdjust === 'function'
  );
}
