import { homedir } from 'node:os';
import type { EpmdName } from '../erlang/epmd.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { askNames, askNode, type EpmdAddress } from '../runtime/epmd-client.ts';
import type { Logger } from '../runtime/logger.ts';
import { identifyNode, pingNode } from '../runtime/node-probe.ts';
import { duplexPipe } from '../runtime/socket-pipe.ts';
import type { Directory } from '../session/types.ts';
import { type CookieSurroundings, searchCookies } from './cookie-places.ts';
import { dialOwnHost } from './dial.ts';
import { givenName } from './given-names.ts';
import { NodeCookies } from './node-cookies.ts';
import type { NodeIdentity } from './watched-nodes.ts';
import { NodeWatcher } from './watcher.ts';

/** For a handshake with one cookie; a node that answers does so within milliseconds. */
const HANDSHAKE_MS = 3_000;

export interface HostNodesOptions {
  readonly epmd: EpmdAddress;
  readonly clock: Clock;
  readonly log: Logger;
  /** Default: those of this process. */
  readonly surroundings: CookieSurroundings | undefined;
  /** Most nodes that are told. */
  readonly most: number;
  readonly onChange: (directory: Directory) => void;
}

/** The nodes of this host as epmd and they themselves tell, and the cookies that they accept. */
export class HostNodes {
  readonly watcher: NodeWatcher;
  readonly #cookies: NodeCookies;
  readonly #log: Logger;

  constructor({
    epmd,
    clock,
    log,
    surroundings = ownSurroundings(),
    most,
    onChange,
  }: HostNodesOptions) {
    this.#log = log;
    const probe = (name: string, port: number) => ({
      clock,
      expected: name,
      open: async () => duplexPipe(await dialOwnHost(port), `node ${name}`),
    });
    this.#cookies = new NodeCookies({
      clock,
      log,
      search: (name) => searchCookies(name, surroundings),
      accepts: ({ port }, name, cookie) =>
        pingNode({ ...probe(name, port), timeoutMs: HANDSHAKE_MS }, cookie).then(
          () => true,
          (error: unknown) => {
            if (error instanceof EpmuxError && error.code === 'COOKIE_REFUSED') return false;
            throw error;
          },
        ),
    });
    const source = {
      names: () => askNames(epmd),
      isVisible: async (name: string) => (await askNode(epmd, name))?.visible ?? true,
      identify: ({ name, port }: EpmdName) =>
        identifyNode(probe(name, port)).catch((error) => nameInstead(name, error, surroundings)),
      knowsCookie: async (node: EpmdName, identity: NodeIdentity) =>
        identity.isMute === true ? false : this.#cookies.find(node, identity),
    };
    this.watcher = new NodeWatcher({ source, clock, log, most, onChange });
  }

  /** As TargetOptions has it. */
  readonly cookieOf = (short: string): string | undefined => this.#cookies.of(short);

  /** As TargetOptions has it. */
  readonly onNodeNews = (): void => this.watcher.look();

  /** As TargetOptions has it. */
  readonly onCookieRefused = (short: string, ours: boolean): string => {
    const { again, text } = this.#cookies.refused(short, ours);
    this.#log.warn('a node refused a cookie', { node: short, why: text });
    if (again) this.watcher.askAgain(short);
    return text;
  };
}

/** For a node that would not tell its name another time either, such as one that speaks TLS. Throws the error where its process does not tell it. */
async function nameInstead(
  short: string,
  error: unknown,
  surroundings: CookieSurroundings,
): Promise<NodeIdentity> {
  const isFinal = error instanceof EpmuxError && error.code === 'HANDSHAKE_REFUSED';
  const name = isFinal ? await givenName(short, surroundings) : undefined;
  if (name === undefined) throw error;
  return { name, creation: 0, isMute: true };
}

function ownSurroundings(): CookieSurroundings {
  const { env } = process;
  const uid = process.getuid?.() ?? -1;
  return { proc: '/proc', uid, env, home: env['HOME'] || homedir() };
}
