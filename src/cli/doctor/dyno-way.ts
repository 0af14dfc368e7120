import type { UpSecrets } from '../../daemon/control/api.ts';
import { EPMD_PORT } from '../../runtime/address.ts';
import type { Carrier } from '../../transport/transport.ts';
import { greetAgent } from './agent.ts';
import { type Round, runChecks } from './check.ts';
import { type DynoContext, SURROUNDINGS_CHECKS } from './dyno.ts';
import { dynoFacts } from './facts.ts';
import type { LocalContext } from './local.ts';
import { NODE_CHECKS } from './nodes.ts';
import { cookieSource, secretOf } from './secrets.ts';
import type { TargetContext } from './target.ts';

/** Where the tunnel leads, with what the checks of every way need. */
export interface WayChecks {
  readonly target: TargetContext & { readonly spec: NonNullable<TargetContext['spec']> };
  readonly local: LocalContext;
  readonly given: UpSecrets;
  readonly env: NodeJS.ProcessEnv;
  readonly round: Round;
}

/**
 * What is at the carrier's end. `configVars`: of the Heroku app; secrets. Resolves with what was
 * learned; the carrier stays the caller's.
 */
export async function diagnoseDyno(
  carrier: Carrier,
  configVars: Readonly<Record<string, string>>,
  { target, local, given, env, round }: WayChecks,
): Promise<DynoContext> {
  const { spec, running, isAsItRuns } = target;
  const links = running?.links ?? [];
  const context: DynoContext = {
    carrier,
    choice: spec.agent,
    agentPort: spec.agentPort,
    epmdPort: spec.epmdPort ?? EPMD_PORT,
    clock: round.clock,
    secret: () => secretOf(spec, given),
    isAttached: links.some(({ mode, state }) => mode === 'agent' && state === 'up'),
    cookies: cookieSource({ spec, given, configVars, env }),
    localRelease: local.release,
    askFacts: dynoFacts,
    greet: greetAgent,
  };
  const goesOn = await runChecks(SURROUNDINGS_CHECKS, context, round);
  if (!goesOn || carrier.dial === undefined) return context;
  // A tunnel that is up proves cookies by its own way.
  const isProved = isAsItRuns === true && running?.state === 'up';
  const checks = isProved ? NODE_CHECKS.filter(({ id }) => id !== 'cookie') : NODE_CHECKS;
  await runChecks(checks, context, round);
  return context;
}
