import { EpmuxError } from '../protocol/errors.ts';
import { unlessAborted } from '../runtime/attempt.ts';
import type { Cancel, Clock } from '../runtime/clock.ts';
import { deferred } from '../runtime/wait.ts';
import type { ControlCall } from './control/handlers.ts';
import { isBreach } from './links/connection-loop.ts';
import type { Tunnel } from './tunnel.ts';

/**
 * How long to wait for a first node once the link is up, and for its full name once there is one.
 */
const NODES_WAIT_MS = 15_000;
const NAMES_WAIT_MS = 3_000;
/** How long the other dynos may take once the nodes of one can be reached. */
const OTHERS_WAIT_MS = 5_000;

/**
 * Resolves when a link is up, a node can be reached, and what is behind each other link is known or
 * fails; or when a bound is reached before. Fails with the error of the first attempt that fails
 * wherever nothing is up (an agent that breaks the protocol once attached counts as one), the
 * abort's error when the caller is gone, and TUNNEL_DOWN when the tunnel is taken down meanwhile.
 */
export async function tunnelReady(tunnel: Tunnel, call: ControlCall, clock: Clock): Promise<void> {
  const { name } = tunnel.spec;
  const ready = deferred();
  let cancelLimit: Cancel = () => undefined;
  let limitAt = Number.POSITIVE_INFINITY;
  const limit = (ms: number): void => {
    const at = clock.now() + ms;
    if (at >= limitAt) return;
    limitAt = at;
    cancelLimit();
    cancelLimit = clock.wakeAt(at, ready.resolve);
  };
  const look = (): void => {
    const { state, links, nodes } = tunnel.status();
    if (state === 'down') {
      ready.reject(new EpmuxError('TUNNEL_DOWN', `${name} was taken down`));
    } else if (!links.some((link) => link.state === 'up')) {
      const { lastError } = tunnel;
      if (state === 'reconnecting' && lastError !== null && isBreach(lastError.code)) {
        const { code, message, hint } = lastError;
        ready.reject(new EpmuxError(code, message, hint === undefined ? {} : { hint }));
      }
    } else if (nodes.some((node) => node.unreachable === undefined)) {
      if (tunnel.isPending) limit(OTHERS_WAIT_MS);
      else ready.resolve();
    } else {
      if (limitAt === Number.POSITIVE_INFINITY) call.progress('waiting for nodes');
      limit(nodes.length > 0 ? NAMES_WAIT_MS : NODES_WAIT_MS);
    }
  };
  const unwatch = tunnel.watch({
    onStep: (step) => call.progress(step),
    onAttemptFailed: ready.reject,
    onChanged: look,
  });
  try {
    if (!call.signal.aborted) look();
    await unlessAborted(ready.promise, `waiting for ${name}`, call.signal);
  } finally {
    cancelLimit();
    unwatch();
  }
}
