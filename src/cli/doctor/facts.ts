import { EpmuxError } from '../../protocol/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { canRunAgent } from '../../runtime/dyno-node.ts';
import type { Carrier } from '../../transport/transport.ts';
import { FACTS_SCRIPT } from './facts-script.ts';
import { readPipe } from './read-pipe.ts';

export interface BeamProcess {
  readonly pid: number;
  /** As its command line has it, with or without a host. */
  readonly name: string | undefined;
  readonly release: number | undefined;
}

export interface Listener {
  readonly port: number;
  readonly isLoopback: boolean;
}

/** What a look around in a dyno has shown. */
export interface DynoFacts {
  readonly node: { readonly version: string; readonly path: string } | undefined;
  readonly beams: readonly BeamProcess[];
  /** Where a production cookie is: `RELEASE_COOKIE`, `-setcookie`, `~/.erlang.cookie`. */
  readonly cookieSources: readonly string[];
  /** Undefined where the system does not tell. */
  readonly listeners: readonly Listener[] | undefined;
}

const LIMIT_MS = 15_000;
const MAX_BYTES = 262_144;
/** From ERTS 11 (OTP 23) on the two count in step. */
const ERTS_BEHIND_OTP = 12;

/**
 * Runs one script in the dyno. Throws what `exec` throws, TIMEOUT, or EXEC_REFUSED when there is no
 * shell that could run it.
 */
export async function dynoFacts(
  exec: NonNullable<Carrier['exec']>,
  clock: Clock,
  signal: AbortSignal,
): Promise<DynoFacts> {
  const remote = await exec({ command: 'sh' }, signal);
  remote.onStderr(() => {});
  const text = await readPipe(remote.io, {
    clock,
    signal,
    limitMs: LIMIT_MS,
    maxBytes: MAX_BYTES,
    what: 'the shell in the dyno',
    say: Buffer.from(FACTS_SCRIPT),
    thenEnd: true,
    enough: (bytes) => /^end$/m.test(bytes.subarray(-8).toString('latin1')),
  }).finally(() => remote.close());
  return parseFacts(text.toString('utf8'));
}

export function parseFacts(text: string): DynoFacts {
  const lines = text.split('\n');
  if (!lines.includes('end')) {
    throw new EpmuxError(
      'EXEC_REFUSED',
      'a command is started there, but no sh runs it to the end',
      {
        hint: 'does sshd_config force a command? The tunnel itself may work all the same',
      },
    );
  }
  const facts = new FactsReader();
  for (const line of lines) {
    const space = line.indexOf(' ');
    if (space > 0) facts.take(line.slice(0, space), line.slice(space + 1));
  }
  return facts.all();
}

class FactsReader {
  #node: DynoFacts['node'];
  readonly #beams: { pid: number; name: string | undefined; release: number | undefined }[] = [];
  readonly #cookies = new Set<string>();
  #listeners: Listener[] | undefined;

  take(kind: string, value: string): void {
    const beam = this.#beams.at(-1);
    if (kind === 'node') {
      this.#takeNode(value);
    } else if (kind === 'beam') {
      const pid = /^\d{1,10}$/.test(value) ? Number(value) : 0;
      this.#beams.push({ pid, name: undefined, release: undefined });
    } else if (kind === 'cookie') this.#cookies.add(value);
    else if (kind === 'readable') this.#listeners ??= [];
    else if (kind === 'listen') this.#listeners?.push(...listener(value));
    else if (kind === 'bindir' && beam !== undefined) beam.release = releaseOf(value);
    else if ((kind === 'short' || kind === 'long') && beam !== undefined) beam.name = value;
  }

  /** The first that an agent can run on, else the first. */
  #takeNode(value: string): void {
    const [version = '', path = ''] = value.split(' ');
    const found = { version: version.replace(/^v/, ''), path };
    const old = this.#node?.version;
    if (old === undefined || (!canRunAgent(old) && canRunAgent(found.version))) this.#node = found;
  }

  all(): DynoFacts {
    return {
      node: this.#node,
      beams: this.#beams,
      cookieSources: [...this.#cookies],
      listeners: this.#listeners,
    };
  }
}

/** `…/erts-13.1.5/bin` → 25 */
export function releaseOf(bindir: string): number | undefined {
  const major = /\/erts-(\d+)\./.exec(bindir)?.[1];
  return major === undefined || Number(major) < 11 ? undefined : Number(major) + ERTS_BEHIND_OTP;
}

const MAX_PORT = 65_535;
const V6_LOOPBACK = '00000000000000000000000001000000';
const V4_IN_V6 = '0000000000000000FFFF0000';

/** An address as /proc/net/tcp and tcp6 have it: words of 32 bits, the lowest byte first. */
function listener(text: string): Listener[] {
  const [address = '', hexPort = ''] = text.split(':');
  const port = Number.parseInt(hexPort, 16);
  if (!(port > 0 && port <= MAX_PORT)) return [];
  const v4 = address.startsWith(V4_IN_V6) ? address.slice(V4_IN_V6.length) : address;
  const isLoopback = v4.length === 8 ? v4.endsWith('7F') : v4 === V6_LOOPBACK;
  return [{ port, isLoopback }];
}
