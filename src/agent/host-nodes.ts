import { homedir } from 'node:os';
import type { EpmdName } from '../erlang/epmd.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { Address } from '../runtime/address.ts';
import type { Clock } from '../runtime/clock.ts';
import { askNames, askNode } from '../runtime/epmd-client.ts';
import type { Logger } from '../runtime/logger.ts';
import { identifyNode, type NodeProbeOptions, pingNode } from '../runtime/node-probe.ts';
import type { BytePipe } from '../runtime/pipe.ts';
import { duplexPipe } from '../runtime/socket-pipe.ts';
import type { Directory } from '../session/types.ts';
import { type CookieSurroundings, searchCookies } from './cookie-places.ts';
import { dialOwnHost } from './dial.ts';
import { givenName } from './given-names.ts';
import { ListeningUser } from './listening-user.ts';
import { NodeCookies } from './node-cookies.ts';
import type { OpenNode, TargetNodes } from './targets.ts';
import type { NodeIdentity } from './watched-nodes.ts';
import { NodeWatcher } from './watcher.ts';

/** For a handshake with one cookie; a node that answers does so within milliseconds. */
const HANDSHAKE_MS = 3_000;

export interface HostNodesOptions {
  readonly epmd: Address;
  readonly clock: Clock;
  readonly log: Logger;
  /** Default: those of this process. */
  readonly surroundings: CookieSurroundings | undefined;
  /** Most nodes that are told. */
  readonly most: number;
  readonly onChange: (directory: Directory) => void;
}

/** The nodes of this host as epmd and they themselves tell, and the cookies that they accept. */
export class HostNodes implements TargetNodes {
  readonly watcher: NodeWatcher;
  readonly #cookies: NodeCookies;
  readonly #user: ListeningUser;
  readonly #clock: Clock;
  readonly #log: Logger;

  constructor({
    epmd,
    clock,
    log,
    surroundings = ownSurroundings(),
    most,
    onChange,
  }: HostNodesOptions) {
    this.#user = new ListeningUser(surroundings);
    this.#clock = clock;
    this.#log = log;
    const probe = (name: string, open: NodeProbeOptions['open']) => ({
      clock,
      expected: name,
      open,
    });
    this.#cookies = new NodeCookies({
      clock,
      log,
      search: (name) => searchCookies(name, surroundings),
      accepts: ({ port }, name, cookie) =>
        accepts(
          { ...probe(name, () => this.#openToShow(name, port)), timeoutMs: HANDSHAKE_MS },
          cookie,
        ),
    });
    const source = {
      names: () => askNames(epmd, { clock }),
      isVisible: async (name: string) => (await askNode(epmd, name, { clock }))?.visible ?? true,
      identify: ({ name, port }: EpmdName) =>
        identifyNode(probe(name, async () => (await dialNode(name, port, clock)).pipe)).catch(
          (error) => nameInstead(name, error, surroundings),
        ),
      knowsCookie: async (node: EpmdName, identity: NodeIdentity) =>
        identity.isMute === true ? false : this.#cookies.find(node, identity),
    };
    this.watcher = new NodeWatcher({ source, clock, log, most, onChange });
  }

  /** As TargetNodes has it. */
  readonly open = async (short: string, port: number, signal: AbortSignal): Promise<OpenNode> => {
    const cookie = this.#cookies.of(short);
    if (cookie === undefined)
      return { ...(await dialNode(short, port, this.#clock, signal)), cookie };
    const { pipe, isOwn } = await this.#dial(short, port, signal);
    if (isOwn) return { pipe, cookie };
    this.#log.warn('a node is shown no cookie', { node: short, why: notShown(port) });
    return { pipe, cookie: undefined };
  };

  /** As TargetNodes has it. */
  readonly hasNode = (name: string): boolean =>
    this.watcher.directory?.nodes.some((node) => node.name === name) === true;

  /** As TargetNodes has it. */
  readonly onNodeNews = (): void => this.watcher.look();

  /** As TargetNodes has it. */
  readonly onCookieRefused = (short: string, ours: boolean): string => {
    const { again, text } = this.#cookies.refused(short, ours);
    this.#log.warn('a node refused a cookie', { node: short, why: text });
    if (again) this.watcher.askAgain(short);
    return text;
  };

  /** PERMISSION_DENIED where no cookie may be shown to what listens there. */
  async #openToShow(name: string, port: number): Promise<BytePipe> {
    const { pipe, isOwn } = await this.#dial(name, port);
    if (isOwn) return pipe;
    pipe.close();
    throw new EpmuxError('PERMISSION_DENIED', notShown(port));
  }

  /** Any user may give epmd a name, and pass on to a node what the agent proves to him. */
  #dial(name: string, port: number, signal?: AbortSignal) {
    return this.#user.dial(() => dialNode(name, port, this.#clock, signal));
  }
}

async function dialNode(name: string, port: number, clock: Clock, signal?: AbortSignal) {
  const socket = await dialOwnHost(port, clock, signal);
  return { socket, pipe: duplexPipe(socket, `node ${name}`) };
}

/** A real handshake. Fails when the node does not answer. */
function accepts(options: NodeProbeOptions, cookie: string): Promise<boolean> {
  return pingNode(options, cookie).then(
    () => true,
    (error: unknown) => {
      if (EpmuxError.is(error, 'COOKIE_REFUSED')) return false;
      throw error;
    },
  );
}

function notShown(port: number): string {
  return `what listens on port ${port} is not seen to be of the agent's own user`;
}

/**
 * For a node that would not tell its name another time either, such as one that speaks TLS. Throws
 * the error where its process does not tell it.
 */
async function nameInstead(
  short: string,
  error: unknown,
  surroundings: CookieSurroundings,
): Promise<NodeIdentity> {
  const isFinal = EpmuxError.is(error, 'HANDSHAKE_REFUSED');
  const name = isFinal ? await givenName(short, surroundings) : undefined;
  if (name === undefined) throw error;
  return { name, creation: 0, isMute: true };
}

function ownSurroundings(): CookieSurroundings {
  const { env } = process;
  const uid = process.getuid?.() ?? -1;
  return { proc: '/proc', uid, env, home: env['HOME'] || homedir() };
}
