import { createHash } from 'node:crypto';
import { SESSION_ID_BYTES } from '../protocol/constants.ts';
import { NODE_VERSION } from '../runtime/dyno-node.ts';
import { LONGEST, type UpSecrets } from './control/api.ts';
import type { PushedAgent } from './links/push.ts';
import {
  type Check,
  list,
  matching,
  object,
  optional,
  port,
  text,
  tunnelName,
  upSecrets,
} from './validate.ts';

/** What a link alone knows of its dyno. */
export interface LinkMemory {
  /** Of the dyno. */
  readonly id: string;
  /**
   * The session with its agent, and those of earlier workers that may be there still: 32
   * hexadecimal digits each.
   */
  readonly sessions?: readonly string[];
  readonly pushed?: PushedAgent;
}

/** What a tunnel holds and no file does. Secrets: never logged, never on a disk. */
export interface TunnelMemory {
  readonly name: string;
  readonly secrets: UpSecrets;
  readonly links: readonly LinkMemory[];
}

/** More is not handed over: it has to fit into a line of the control socket. */
export const MAX_MEMORY_BYTES = 524_288;
const MAX_TUNNELS = 10_000;
const MAX_LINKS = 10_000;
/** Of one link: a worker that crashes again and again leaves one each time. */
export const MAX_SESSIONS = 8;
const sessionId: Check<string> = matching(
  new RegExp(`^[0-9a-f]{${2 * SESSION_ID_BYTES}}$`),
  2 * SESSION_ID_BYTES,
  'a session id',
);

const tunnelMemory: Check<TunnelMemory> = object<TunnelMemory>({
  name: tunnelName,
  secrets: upSecrets,
  links: list(
    object<LinkMemory>({
      id: (value, at) => (value === '' ? '' : text(LONGEST.dyno)(value, at)),
      sessions: optional(list(sessionId, MAX_SESSIONS)),
      pushed: optional(
        object<PushedAgent>({
          port,
          secret: text(LONGEST.secret),
          node: matching(NODE_VERSION, LONGEST.node, 'a version of Node'),
        }),
      ),
    }),
    MAX_LINKS,
  ),
});
/** Left out where it is wrong: it may be a dyno's doing, which must not reach the other tunnels. */
const memory: Check<readonly (readonly TunnelMemory[])[]> = list((value, at) => {
  try {
    return [tunnelMemory(value, at)];
  } catch {
    return [];
  }
}, MAX_TUNNELS);

/**
 * As one text, with as many of the tunnels as fit; one that does not is told without its links,
 * whose sessions end then.
 */
export function memoryText(tunnels: readonly TunnelMemory[]): string {
  const fitting: string[] = [];
  let bytes = 2;
  for (const tunnel of tunnels) {
    for (const told of [tunnel, { ...tunnel, links: [] }]) {
      const one = JSON.stringify(told);
      const size = Buffer.byteLength(one) + 1;
      if (bytes + size > MAX_MEMORY_BYTES) continue;
      bytes += size;
      fitting.push(one);
      break;
    }
  }
  return `[${fitting.join(',')}]`;
}

/**
 * Of the tunnels that are right; none when the text is not whole, or is something else. What is
 * missing comes back as far as files know it.
 */
export function readMemory(given: string): readonly TunnelMemory[] {
  try {
    return memory(JSON.parse(given), 'memory').flat();
  } catch {
    return [];
  }
}

/** Tells one memory from another. */
export function memoryDigest(given: string): string {
  return createHash('sha256').update(given).digest('hex');
}

/** The texts in it that no log and no report may show. */
export function secretsIn(given: string): readonly string[] {
  return readMemory(given).flatMap(({ secrets, links }) =>
    [
      secrets.secret,
      secrets.cookie,
      secrets.herokuToken,
      ...links.map(({ pushed }) => pushed?.secret),
    ].filter((secret) => secret !== undefined),
  );
}
