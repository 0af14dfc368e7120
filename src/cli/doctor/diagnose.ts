import type { TunnelSpec } from '../../daemon/control/api.ts';
import { connectDaemon } from '../../daemon/control/client.ts';
import { daemonPaths } from '../../daemon/paths.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Io } from '../io.ts';
import type { WayInput } from '../way/options.ts';
import { type CheckResult, type Round, runChecks } from './check.ts';
import type { WayChecks } from './dyno-way.ts';
import { diagnoseHeroku } from './heroku-way.ts';
import { LOCAL_CHECKS, type LocalContext } from './local.ts';
import { localPorts } from './local-ports.ts';
import { PING_CHECKS } from './pings.ts';
import { diagnosePlain } from './plain-way.ts';
import { TARGET_CHECKS, type TargetContext } from './target.ts';

export interface Diagnosis {
  readonly name: string | undefined;
  readonly input: WayInput;
  readonly io: Io;
  readonly tell: (result: CheckResult) => void;
}

/** Everything in turn: this machine, the way, the dynos at its end. Changes nothing. */
export async function diagnose({ name, input, io, tell }: Diagnosis): Promise<void> {
  const round: Round = { clock: systemClock, signal: io.interrupted, tell };
  const local: LocalContext = { ports: localPorts(io.env) };
  await runChecks(LOCAL_CHECKS, local, round);
  const { daemon } = local;
  const target: TargetContext = {
    name,
    input,
    daemon,
    io,
    wallNow: systemClock.wallNow(),
    specOf: (tunnel, signal) => specOf(tunnel, io, signal),
  };
  await runChecks(TARGET_CHECKS, target, round);
  const { spec, running, given } = target;
  if (spec !== undefined && given !== undefined) {
    const checks: WayChecks = {
      target: { ...target, spec },
      local,
      given,
      env: { ...io.env },
      round,
    };
    if (spec.way.kind === 'heroku') await diagnoseHeroku(spec.way, checks);
    else await diagnosePlain(spec.way, checks);
  }
  if (running !== undefined) {
    const selectors = spec?.way.kind === 'heroku' ? spec.way.dynos : [];
    await runChecks(PING_CHECKS, { running, selectors, env: io.env }, round);
  }
}

async function specOf(name: string, { env }: Io, signal: AbortSignal): Promise<TunnelSpec> {
  const client = await connectDaemon(daemonPaths(env), { signal });
  try {
    return (await client.call('spec', { name }, { signal })).spec;
  } finally {
    client.close();
  }
}
