import { EpmuxError } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { ControlCall } from './control/handlers.ts';
import { isBreach } from './links/connection-loop.ts';
import type { Tunnel } from './tunnel.ts';

/** How long to wait for a first node once the link is up, and for its full name once there is one. */
const NODES_WAIT_MS = 15_000;
const NAMES_WAIT_MS = 3_000;
/** How long the other dynos may take once the nodes of one can be reached. */
const OTHERS_WAIT_MS = 5_000;

/**
 * Resolves when a link is up, a node can be reached, and what is behind each other link is known or fails; or when a bound is reached before. Fails with the
 * error of the first attempt that fails wherever nothing is up (an agent that breaks the protocol once attached counts as one), INTERRUPTED when the caller is gone, TUNNEL_DOWN when the tunnel is taken down meanwhile.
 */
export function tunnelReady(tunnel: Tunnel, call: ControlCall, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    let cancelLimit: () => void = () => undefined;
    let limitAt = Number.POSITIVE_INFINITY;
    const settle = (settleWith: () => void) => {
      cancelLimit();
      unwatch();
      call.signal.removeEventListener('abort', onAbort);
      settleWith();
    };
    const fail = (error: EpmuxError) => settle(() => reject(error));
    const onAbort = () => fail(new EpmuxError('INTERRUPTED', 'up was interrupted'));
    const limit = (ms: number) => {
      const at = clock.now() + ms;
      if (at >= limitAt) return;
      limitAt = at;
      cancelLimit();
      cancelLimit = clock.wakeAt(at, () => settle(resolve));
    };
    const look = () => {
      const { state, links, nodes } = tunnel.status();
      if (state === 'down')
        fail(new EpmuxError('TUNNEL_DOWN', `${tunnel.spec.name} was taken down`));
      if (!links.some((link) => link.state === 'up')) {
        const { lastError } = tunnel;
        if (state === 'reconnecting' && lastError !== null && isBreach(lastError.code)) {
          fail(new EpmuxError(lastError.code, lastError.message));
        }
        return;
      }
      if (nodes.some((node) => node.unreachable === undefined)) {
        if (tunnel.isPending) limit(OTHERS_WAIT_MS);
        else settle(resolve);
        return;
      }
      if (limitAt === Number.POSITIVE_INFINITY) call.progress('waiting for nodes');
      limit(nodes.length > 0 ? NAMES_WAIT_MS : NODES_WAIT_MS);
    };
    const unwatch = tunnel.watch({
      onStep: (step) => call.progress(step),
      onAttemptFailed: fail,
      onChanged: look,
    });
    call.signal.addEventListener('abort', onAbort);
    if (call.signal.aborted) onAbort();
    else look();
  });
}
