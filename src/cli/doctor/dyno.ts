import type { AgentChoice } from '../../daemon/control/api.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import type { PeerInfo } from '../../protocol/hello.ts';
import { GOES_WITHOUT, isNotThisAgent } from '../../runtime/agent-refusals.ts';
import type { Clock } from '../../runtime/clock.ts';
import { canRunAgent, MIN_NODE } from '../../runtime/dyno-node.ts';
import type { BytePipe } from '../../runtime/pipe.ts';
import type { Carrier } from '../../transport/transport.ts';
import { broken, type Check, type Finding, ok, warning } from './check.ts';
import type { DynoFacts } from './facts.ts';

/** Checks inside of one dyno, or whatever the way leads into. */
export interface DynoContext {
  readonly carrier: Pick<Carrier, 'label' | 'openAgentPipe' | 'dial' | 'exec'>;
  readonly choice: AgentChoice;
  readonly agentPort: number;
  readonly epmdPort: number;
  readonly clock: Clock;
  /** Throws what keeps the secret from being read. */
  readonly secret: () => Promise<string | undefined>;
  /** A tunnel that is up is attached to it, with a secret that may be the daemon's alone. */
  readonly isAttached: boolean;
  readonly cookies: CookieSource;
  /** OTP's here, where it is known. */
  readonly localRelease: number | undefined;
  readonly askFacts: (
    exec: NonNullable<Carrier['exec']>,
    clock: Clock,
    signal: AbortSignal,
  ) => Promise<DynoFacts>;
  readonly greet: (
    pipe: BytePipe,
    secret: string | undefined,
    clock: Clock,
    signal: AbortSignal,
  ) => Promise<PeerInfo>;
  /** Learned. */
  facts?: DynoFacts;
  agent?: PeerInfo;
  nodes?: readonly FoundNode[];
}

/**
 * Which cookie to prove, and where it is from, for a person; undefined: none is known. A secret.
 */
export type CookieSource = () => Promise<
  { readonly cookie: string; readonly source: string; readonly isGuess: boolean } | undefined
>;

export interface FoundNode {
  /** The part before `@`. */
  readonly short: string;
  readonly port: number;
  /** Undefined: the node did not say it. */
  readonly name: string | undefined;
}

const WITHOUT_AGENT =
  'without one a cut closes local connections at once: see docs/agent.md for running `epmux agent` there';

export const SURROUNDINGS_CHECKS: readonly Check<DynoContext>[] = [
  { id: 'node-there', title: 'Node there', look: lookAtNode },
  { id: 'agent', title: 'agent', vital: true, look: lookForAgent },
];

async function lookAtNode(context: DynoContext, signal: AbortSignal): Promise<Finding | undefined> {
  const { carrier, askFacts, clock } = context;
  if (carrier.exec === undefined) return undefined;
  try {
    context.facts = await askFacts(carrier.exec, clock, signal);
  } catch (error) {
    if (!(error instanceof EpmuxError)) throw error;
    // Forwarding may be all that the server allows, and all that a tunnel needs.
    return warning(`can't look around there: ${error.message}`, error.hint);
  }
  const { node } = context.facts;
  if (node === undefined) return ok('none there: `up` can bring no agent of its own');
  return canRunAgent(node.version)
    ? ok(`${node.version} (${node.path})`)
    : warning(`${node.version} is too old for an agent`, `it needs Node ${MIN_NODE} or later`);
}

async function lookForAgent(
  context: DynoContext,
  signal: AbortSignal,
): Promise<Finding | undefined> {
  const { carrier, choice, greet, clock } = context;
  if (choice === 'none') return undefined;
  try {
    const pipe = await carrier.openAgentPipe(signal);
    const secret = await context.secret().catch((error: unknown) => {
      pipe.close();
      throw error;
    });
    context.agent = await greet(pipe, secret, clock, signal);
    const { software, hostName } = context.agent;
    return ok(`${software} on ${hostName}, and both know the secret`);
  } catch (error) {
    if (!(error instanceof EpmuxError)) throw error;
    return withoutThisAgent(context, error);
  }
}

/** As the tunnel would go on: with an agent of its own, else without one, else not at all. */
function withoutThisAgent(context: DynoContext, error: EpmuxError): Finding {
  const { code, message } = error;
  const { carrier, choice, agentPort } = context;
  if (code === 'SECRET_MISSING' && context.isAttached) return ok('one answers; the tunnel uses it');
  const what = code === 'AGENT_MISSING' ? `none listens on ${agentPort}` : message;
  if (isNotThisAgent(error) && canBringAgent(context)) {
    const told = `${what}: \`up\` brings its own`;
    const isExpected = code === 'AGENT_MISSING' || code === 'SECRET_MISSING';
    return isExpected ? ok(told) : warning(told, error.hint);
  }
  const mayGoWithout = choice === 'auto' && carrier.dial !== undefined;
  if (mayGoWithout && EpmuxError.is(error, ...GOES_WITHOUT)) return warning(what, WITHOUT_AGENT);
  return broken(error);
}

/** Whether a tunnel would push one. */
export function canBringAgent({ choice, facts }: DynoContext): boolean {
  return choice !== 'none' && facts?.node !== undefined && canRunAgent(facts.node.version);
}
