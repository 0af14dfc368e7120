import { WireCode, type WireCodeName } from '../protocol/constants.ts';
import { EpmuxError, messageOf } from '../protocol/errors.ts';
import type { EndReason } from '../protocol/frames.ts';
import { wireError } from '../protocol/wire-codes.ts';
import { attempt } from '../runtime/attempt.ts';
import type { Clock } from '../runtime/clock.ts';
import { NodeCoupling, type NodeCouplingOptions } from '../runtime/node-coupling.ts';
import type { BytePipe } from '../runtime/pipe.ts';
import type { ErrorStatus } from './control/api.ts';
import { type CookieSources, relayCookies } from './relay-cookies.ts';
import type { TunnelParts } from './tunnel-parts.ts';

export interface ForwardOptions {
  /** The node's name before `@`. */
  readonly short: string;
  readonly cookies: Omit<CookieSources, 'local'>;
  /** As `DynoEnd.openNode`. */
  readonly openNode: () => BytePipe;
  /** Asked once the connection is about to be led on. */
  readonly relay: () => Pick<NodeCouplingOptions['relay'], 'hiddenOnly' | 'ticks'>;
  readonly parts: Pick<TunnelParts, 'names' | 'clock' | 'logger' | 'localCookie' | 'limits'>;
  /** The connection did not end by the will of one of its nodes. */
  readonly onCut: (cut: ErrorStatus) => void;
}

/**
 * A file system may have gone away, and Heroku may be slow; a node gives up after 7 s by itself.
 */
const COOKIES_MS = 10_000;

/**
 * How connections end that nobody has to be told of: in order, with one of the two nodes, or with
 * the session.
 */
const ORDINARY: ReadonlySet<number> = new Set(
  (['NONE', 'ENDPOINT_GONE', 'CANCELLED'] as const satisfies readonly WireCodeName[]).map(
    (name) => WireCode[name],
  ),
);

/**
 * Leads a local node's connection to the node in the dyno. What fails closes that connection only.
 */
export async function forward(local: BytePipe, options: ForwardOptions): Promise<void> {
  const { short, parts } = options;
  const { names, clock, logger } = parts;
  const { nodeSilenceMs } = parts.limits;
  try {
    const cookies = await inTime(
      relayCookies({ ...options.cookies, local: () => ownCookie(parts) }),
      clock,
    );
    new NodeCoupling({
      node: local,
      tunnel: options.openNode(),
      clock,
      relay: {
        side: 'connector',
        hide: true,
        isTaken: names.hasNode,
        ...options.relay(),
        nodeSilenceMs,
        cookies,
      },
      onClosed: (reason) => {
        const { code, text } = reason;
        const level = code === WireCode.COOKIE ? 'warn' : 'info';
        logger[level]('a connection ended', { node: short, code, text });
        if (!ORDINARY.has(code)) options.onCut(cutOf(reason, clock.wallNow()));
      },
    });
    logger.info('a local node connects', { node: short });
  } catch (error) {
    const reason = messageOf(error);
    logger.warn('a local connection can not be led on', { node: short, reason });
    local.close(error instanceof EpmuxError ? error : undefined);
  }
}

function inTime<T>(cookies: Promise<T>, clock: Clock): Promise<T> {
  const late = (): EpmuxError =>
    new EpmuxError('TIMEOUT', `its cookies were not there within ${COOKIES_MS} ms`);
  const limits = { what: 'looking for cookies', clock, limitMs: COOKIES_MS, late };
  return attempt<T>(limits, ({ succeed, fail }) => {
    cookies.then(succeed, (error: unknown) =>
      fail(EpmuxError.from(error, 'INTERNAL', 'no cookie')),
    );
    return undefined;
  });
}

/** A node that brings the production cookie needs none of this user's. */
function ownCookie({ localCookie, logger }: ForwardOptions['parts']): Promise<string | undefined> {
  return localCookie().catch((error: unknown) => {
    const reason = messageOf(error);
    logger.warn('cookies are not translated, for this user has none', { reason });
    return undefined;
  });
}

function cutOf(reason: EndReason, wallNow: number): ErrorStatus {
  const { code, message } = wireError(reason);
  return { code, message, at: new Date(wallNow).toISOString() };
}
