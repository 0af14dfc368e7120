import { type EpmdName, namesAnswer } from '../../erlang/epmd.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import { askEpmdOver } from '../../runtime/epmd-client.ts';
import { identifyNode, pingNode } from '../../runtime/node-probe.ts';
import type { BytePipe } from '../../runtime/pipe.ts';
import { isPortRefused } from '../../transport/port-refused.ts';
import { count } from '../terminal/units.ts';
import { broken, type Check, type Finding, ok, warning } from './check.ts';
import { canBringAgent, type DynoContext, type FoundNode } from './dyno.ts';
import type { BeamProcess } from './facts.ts';

const ANSWER_MS = 5_000;
/** Each is asked for its full name and its cookie. */
const MAX_NODES = 16;
/** Erlang promises that nodes two releases apart understand each other. */
const RELEASES_APART = 2;

/** Only where ports of the dyno can be dialled. */
export const NODE_CHECKS: readonly Check<DynoContext>[] = [
  { id: 'epmd', title: 'epmd', vital: true, look: lookAtEpmd },
  { id: 'beam', title: 'BEAM', look: lookAtBeams },
  { id: 'nodes', title: 'nodes', vital: true, look: lookAtNodes },
  { id: 'names', title: 'node names', look: lookAtNames },
  { id: 'release', title: 'OTP releases', look: lookAtReleases },
  { id: 'listeners', title: 'listening', look: lookAtListeners },
  { id: 'cookie', title: 'cookie', look: lookAtCookie },
];

type Dial = (port: number, signal: AbortSignal) => Promise<BytePipe>;

function dialOf({ carrier }: DynoContext): Dial {
  if (carrier.dial !== undefined) return carrier.dial;
  throw new EpmuxError('INTERNAL', `${carrier.label} dials no ports`);
}

async function lookAtEpmd(context: DynoContext, signal: AbortSignal): Promise<Finding> {
  const { epmdPort } = context;
  const names = await namesThere(context, signal);
  context.nodes = names.map(({ name, port }) => ({ short: name, port, name: undefined }));
  return ok(`answers on ${epmdPort}, ${count(names.length, 'name')}`);
}

async function namesThere(context: DynoContext, signal: AbortSignal): Promise<readonly EpmdName[]> {
  const { clock, epmdPort } = context;
  const pipe = await dialOf(context)(epmdPort, signal).catch((cause: unknown) => {
    if (!isPortRefused(cause)) throw cause;
    throw new EpmuxError('NO_EPMD', `nothing listens on ${epmdPort} there`, { cause });
  });
  const limits = { clock, limitMs: ANSWER_MS, signal };
  return (await askEpmdOver(pipe, { kind: 'names' }, namesAnswer(), limits)).names;
}

/** Those that run a node of this epmd; the machine may be shared with others. */
function ownBeams({ facts, nodes = [] }: DynoContext): readonly BeamProcess[] {
  const isOwn = ({ name }: BeamProcess): boolean =>
    nodes.some((node) => name === node.short || name === node.name || isShortOf(name, node));
  return facts?.beams.filter(isOwn) ?? [];
}

function isShortOf(name: string | undefined, node: FoundNode): boolean {
  return node.name === undefined && name?.split('@')[0] === node.short;
}

function lookAtBeams(context: DynoContext): Finding | undefined {
  const { facts } = context;
  if (facts === undefined) return undefined;
  const own = ownBeams(context);
  if (own.length > 0) {
    return ok(`${count(own.length, 'node')} (pid ${own.map(({ pid }) => pid).join(', ')})`);
  }
  const nameless = facts.beams.filter(({ name }) => name === undefined);
  if (nameless.length === 0) {
    return warning('no process of Erlang is seen', 'does it run as another user, or elsewhere?');
  }
  return warning(
    `pid ${nameless.map(({ pid }) => pid).join(', ')} runs without a name`,
    'it is a node only with --sname or --name (a release: RELEASE_DISTRIBUTION, not `none`)',
  );
}

async function lookAtNodes(context: DynoContext, signal: AbortSignal): Promise<Finding> {
  const { clock, nodes = [] } = context;
  if (nodes.length === 0) {
    return broken(
      new EpmuxError('NODE_UNREACHABLE', 'no node is registered with the epmd there', {
        hint: 'start the app with --sname or --name (a release: RELEASE_DISTRIBUTION=sname)',
      }),
    );
  }
  const dial = dialOf(context);
  const asked = nodes.slice(0, MAX_NODES).map(async (node): Promise<FoundNode> => {
    const open = () => dial(node.port, signal);
    const expected = node.short;
    const { name } = await identifyNode({ open, clock, expected, timeoutMs: ANSWER_MS });
    return { ...node, name };
  });
  const settled = await Promise.allSettled(asked);
  context.nodes = settled.map((outcome, index) =>
    outcome.status === 'fulfilled'
      ? outcome.value
      : (nodes[index] ?? { short: '', port: 0, name: undefined }),
  );
  const silent = context.nodes.filter(({ name }) => name === undefined);
  const named = context.nodes.flatMap(({ name }) => name ?? []);
  const failure = settled.find((outcome) => outcome.status === 'rejected')?.reason as unknown;
  if (failure === undefined) return ok(named.join(', '));
  if (named.length === 0) throw failure;
  return warning(
    `${named.join(', ')}; no answer from ${silent.map(({ short }) => short).join(', ')}`,
    'with TLS distribution a node does not tell its name; else look at its log',
  );
}

function lookAtNames({ nodes = [] }: DynoContext): Finding | undefined {
  const hosts = nodes.flatMap(({ name }) => (name === undefined ? [] : [hostOf(name)]));
  if (hosts.length === 0) return undefined;
  const long = hosts.filter((host) => host.includes('.'));
  if (long.length === 0) {
    return ok('short (--sname): local nodes need a short one too; Livebook has long ones only');
  }
  if (long.length < hosts.length) {
    return warning('short and long ones', 'nodes of the two kinds do not talk to each other');
  }
  return ok('long (--name): local nodes need a long name too, which `epmux remsh` gives itself');
}

function lookAtReleases(context: DynoContext): Finding | undefined {
  const { localRelease } = context;
  const there = [...new Set(ownBeams(context).flatMap(({ release }) => release ?? []))];
  if (there.length === 0) return undefined;
  const told = `OTP ${there.join(', ')} there`;
  if (localRelease === undefined) return ok(told);
  const isFar = there.some((release) => Math.abs(release - localRelease) > RELEASES_APART);
  const both = `${told}, ${localRelease} here`;
  if (!isFar) return ok(both);
  return warning(
    both,
    `Erlang promises to understand itself ${RELEASES_APART} releases apart: install a nearer one here`,
  );
}

function lookAtListeners({ facts, nodes = [] }: DynoContext): Finding | undefined {
  const listeners = facts?.listeners;
  if (listeners === undefined) return undefined;
  const open = nodes.filter(({ port }) =>
    listeners.some((listener) => listener.port === port && !listener.isLoopback),
  );
  if (open.length === 0) return ok('distribution on loopback only');
  const names = open.map(({ short, port }) => `${short} (${port})`).join(', ');
  return warning(
    `${names} on more than loopback`,
    "unless nodes of other hosts connect: -kernel inet_dist_use_interface '{127,0,0,1}' in vm.args or ERL_FLAGS",
  );
}

async function lookAtCookie(context: DynoContext, signal: AbortSignal): Promise<Finding> {
  const { clock, nodes = [], facts } = context;
  const found = await context.cookies();
  const there = facts?.cookieSources ?? [];
  const seen = there.length === 0 ? '' : `; there it is in ${there.join(', ')}`;
  const isGuess = found?.isGuess !== false;
  if (isGuess && there.length > 0 && (context.agent !== undefined || canBringAgent(context))) {
    // No guess is tried: the node would log a refusal.
    return ok(`the agent looks in ${there.join(', ')}; proved once the tunnel is up`);
  }
  if (found === undefined) {
    return warning(
      `none is known here to prove${seen}`,
      'pass it by --cookie-file or EPMUX_COOKIE',
    );
  }
  const dial = dialOf(context);
  const asked = nodes.flatMap(({ name, port }) => (name === undefined ? [] : [{ name, port }]));
  for (const { name, port } of asked) {
    const open = () => dial(port, signal);
    try {
      await pingNode({ open, clock, expected: name, timeoutMs: ANSWER_MS }, found.cookie);
    } catch (error) {
      if (!EpmuxError.is(error, 'COOKIE_REFUSED')) throw error;
      return broken(
        new EpmuxError('COOKIE_REFUSED', `${name} refuses that of ${found.source}${seen}`),
      );
    }
  }
  return ok(`that of ${found.source} is the right one`);
}

function hostOf(name: string): string {
  return name.slice(name.indexOf('@') + 1);
}
