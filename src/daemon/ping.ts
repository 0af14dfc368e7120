import { type Cookie, RELAYED_COOKIE } from '../erlang/handshake.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { pingNode } from '../runtime/node-probe.ts';
import type { PingResult } from './control/api.ts';
import { errorStatus } from './links/link-state.ts';
import { splitNodeName } from './names.ts';
import type { FoundNode } from './resolve.ts';

const TIMEOUT_MS = 10_000;

export interface PingOptions {
  /**
   * The production cookie; without it the one that the agent knows, the tunnel's or the app's, else
   * this user's own.
   */
  readonly cookie: string | undefined;
  readonly timeoutMs: number | undefined;
  readonly localCookie: () => Promise<string>;
  readonly clock: Clock;
}

/**
 * What `net_adm:ping` would say, by a handshake of a hidden node of our own. A pang is a result,
 * not a failure.
 */
export async function ping({ node, tunnel }: FoundNode, options: PingOptions): Promise<PingResult> {
  const { clock, timeoutMs = TIMEOUT_MS } = options;
  let shown = '';
  const explained = (error: EpmuxError): EpmuxError => {
    if (error.code !== 'COOKIE_REFUSED' || shown === '') return error;
    const told = options.cookie === undefined ? tunnel.secrets.hinted(error) : error;
    return told.with({ message: `${told.message}; the cookie shown was ${shown}` });
  };
  try {
    const { cookie, what } = await choose({ node, tunnel }, options);
    shown = what;
    const open = async () => tunnel.endOf(node).openNode(splitNodeName(node.name).short);
    const pong = await pingNode({ open, clock, timeoutMs, expected: node.name }, cookie);
    return { node: pong.node.name, pong: true, rttMs: pong.rttMs, error: null };
  } catch (error) {
    if (!(error instanceof EpmuxError)) throw error;
    return {
      node: node.name,
      pong: false,
      rttMs: null,
      error: errorStatus(explained(error), clock.wallNow()),
    };
  }
}

interface Shown {
  readonly cookie: Cookie;
  /** For a person whose cookie is refused; empty where the agent says it. */
  readonly what: string;
}

async function choose({ node, tunnel }: FoundNode, options: PingOptions): Promise<Shown> {
  if (options.cookie !== undefined) return { cookie: options.cookie, what: 'the one given' };
  const end = tunnel.endOf(node);
  if (end.knowsCookie(splitNodeName(node.name).short)) return { cookie: RELAYED_COOKIE, what: '' };
  const production = await end.productionCookie();
  if (production !== undefined) {
    return {
      cookie: production,
      what: "the one given with the tunnel or by the app's config vars",
    };
  }
  const what = "this user's own, for none is given with the tunnel or by the app's config vars";
  return { cookie: await options.localCookie(), what };
}
