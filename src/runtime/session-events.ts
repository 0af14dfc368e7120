import type { EpmuxError } from '../protocol/errors.ts';
import type { EndReason, SessionPort } from '../session/types.ts';
import { EventPump } from './event-pump.ts';
import { faultOf } from './fault.ts';
import type { SessionDriverHandlers } from './session-handlers.ts';
import type { StreamTable } from './stream-table.ts';

export interface SessionEventsOptions {
  readonly session: Pick<SessionPort, 'nextEvent'>;
  readonly streams: StreamTable;
  readonly handlers: SessionDriverHandlers;
  readonly onPipeFailed: (error: EpmuxError) => void;
  readonly onEnded: (reason: EndReason, error: EpmuxError | undefined) => void;
  /** A handler threw. */
  readonly onFault: (error: EpmuxError) => void;
}

/**
 * Takes a session's events to whom they concern: the driver, a stream's owner, the driver's owner.
 */
export function pumpEvents(options: SessionEventsOptions): EventPump {
  const { session, streams, handlers, onPipeFailed, onEnded, onFault } = options;
  return new EventPump({
    next: () => session.nextEvent(),
    handlers: {
      attached: ({ resumed, peer }) => handlers.onAttached(resumed, peer),
      'pipe-failed': ({ error }) => onPipeFailed(error),
      ended: ({ reason, error }) => onEnded(reason, error),
      opened: ({ stream: id, target, streamClass }) =>
        handlers.onIncoming(streams.add({ id, target, streamClass, incoming: true })),
      accepted: ({ stream }) => streams.get(stream)?.onAccepted(),
      data: ({ stream, chunk }) => streams.get(stream)?.onData(chunk),
      finished: ({ stream }) => streams.get(stream)?.onFinished(),
      writable: ({ stream }) => streams.get(stream)?.onWritable(),
      closed: ({ stream, reason }) => streams.onClosed(stream, reason),
      directory: ({ directory }) => handlers.onDirectory(directory),
      rtt: ({ ms }) => handlers.onRtt(ms),
    },
    onFault: (cause, event) => {
      const error = faultOf(`a handler of ${event.type}`, cause);
      if (event.type === 'opened') streams.get(event.stream)?.close(error);
      onFault(error);
    },
  });
}
