import type { Cancel, Clock } from '../../runtime/clock.ts';

const TICK_MS = 1_000;
/** With a keepalive every 3 s at least two answers are missing then. */
const DEAD_AFTER_TICKS = 9;

/**
 * Calls `onDead` once when `bytesRead` has not moved for 9 s, or so many. Counts ticks rather than
 * time: the one tick after a sleep of the machine says nothing about the other end.
 */
export function watchSilence(
  bytesRead: () => number,
  clock: Clock,
  onDead: (seconds: number) => void,
  ticks: number = DEAD_AFTER_TICKS,
): Cancel {
  let seen = bytesRead();
  let silentTicks = 0;
  let cancel: Cancel = () => {};
  const tick = (): void => {
    const now = bytesRead();
    silentTicks = now === seen ? silentTicks + 1 : 0;
    seen = now;
    if (silentTicks >= ticks) onDead((ticks * TICK_MS) / 1_000);
    else cancel = clock.wakeAt(clock.now() + TICK_MS, tick);
  };
  cancel = clock.wakeAt(clock.now() + TICK_MS, tick);
  return () => cancel();
}
