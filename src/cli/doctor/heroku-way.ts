import { herokuClient } from '../../heroku/client.ts';
import { herokuCredentials } from '../../heroku/credentials.ts';
import { herokuTransport } from '../../heroku/exec-transport.ts';
import { type SshKeyPair, sshKeysOnce } from '../../heroku/keys.ts';
import { addonUrlOf } from '../../heroku/preflight.ts';
import { isProxied, proxyLabel, proxySettings } from '../../heroku/proxy.ts';
import { herokuSettings } from '../../heroku/settings.ts';
import { homeFolder } from '../../runtime/home.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { createDialer } from '../../transport/create.ts';
import type { Transport } from '../../transport/transport.ts';
import type { HerokuWay } from '../../transport/way.ts';
import { type Check, type CheckResult, type Finding, ok, runChecks, warning } from './check.ts';
import type { DynoContext } from './dyno.ts';
import { diagnoseDyno, type WayChecks } from './dyno-way.ts';
import { HEROKU_CHECKS, type HerokuContext } from './heroku.ts';
import { lookAtHostKey, lookAtLogin, type SshContext } from './ssh.ts';

/** Each costs an SSH connection; the others of a big formation are like these. */
const MAX_DYNOS = 8;

interface ServiceContext {
  readonly way: HerokuWay;
  readonly checks: WayChecks;
  /** Learned. */
  heroku?: HerokuContext;
}

const SERVICE_CHECK: Check<ServiceContext> = {
  id: 'heroku',
  title: 'Heroku',
  vital: true,
  look(context) {
    const { way, checks } = context;
    const api = new URL(herokuSettings(checks.env).apiUrl);
    const proxy = proxySettings(checks.env, checks.target.spec.via);
    context.heroku = herokuContext(way, checks);
    const isStraight = proxy === undefined || !isProxied(api, proxy);
    return ok(isStraight ? api.host : `${api.host}, through ${proxyLabel(proxy)}`);
  },
};

const GATE_CHECKS: readonly Check<SshContext>[] = [
  {
    id: 'host-key',
    title: 'host key',
    vital: true,
    look: (context, signal) =>
      lookAtHostKey(context, 'is the one that the exec manager told', signal),
  },
  { id: 'ssh', title: 'SSH', vital: true, look: lookAtLogin },
];

export interface Visited {
  readonly dyno: string;
  readonly nodes: NonNullable<DynoContext['nodes']>;
}

export const FORMATION_CHECKS: readonly Check<readonly Visited[]>[] = [
  { id: 'same-names', title: 'same names', look: lookForSameNames },
];

/** Heroku, then its dynos: visited side by side, told one after the other. */
export async function diagnoseHeroku(way: HerokuWay, checks: WayChecks): Promise<void> {
  const { round } = checks;
  const services: ServiceContext = { way, checks };
  if (!(await runChecks([SERVICE_CHECK], services, round))) return;
  const { heroku } = services;
  if (heroku === undefined || !(await runChecks(HEROKU_CHECKS, heroku, round))) return;
  const { reachable = [] } = heroku;
  const keys = sshKeysOnce();
  const visits = reachable.slice(0, MAX_DYNOS).map(async ({ name }) => {
    const told: CheckResult[] = [];
    const own = { ...round, dyno: name, tell: (result: CheckResult) => void told.push(result) };
    const nodes = await visit(name, heroku, { ...checks, round: own }, keys);
    return { dyno: name, nodes, told };
  });
  const visited: Visited[] = [];
  for (const visiting of visits) {
    const { told, ...rest } = await visiting;
    for (const result of told) round.tell(result);
    visited.push(rest);
  }
  if (reachable.length > MAX_DYNOS) {
    const left = reachable.length - MAX_DYNOS;
    const hint = 'name those that matter with -d';
    round.tell({
      id: 'left-out',
      title: 'other dynos',
      ...warning(`${left} were not looked into`, hint),
    });
  }
  await runChecks(FORMATION_CHECKS, visited, round);
}

function herokuContext(way: HerokuWay, { given, env, round, target }: WayChecks): HerokuContext {
  const settings = herokuSettings(env);
  const proxy = proxySettings(env, target.spec.via);
  const apiKey = given.herokuToken;
  const home = homeFolder(env);
  const base = { clock: round.clock, logger: silentLogger };
  const client = herokuClient({ app: way.app, settings, proxy, apiKey, home, ...base });
  const apiHost = new URL(settings.apiUrl).host;
  return {
    app: way.app,
    selectors: way.dynos,
    platform: client.platform,
    manager: client.manager,
    apiKey: () => herokuCredentials({ apiKey, apiHost, home }).current(),
  };
}

async function visit(
  dyno: string,
  heroku: HerokuContext,
  checks: WayChecks,
  keys: () => Promise<SshKeyPair>,
): Promise<Visited['nodes']> {
  const context: SshContext = { transport: gate(dyno, heroku, checks, keys) };
  const isWhole = await runChecks(GATE_CHECKS, context, checks.round);
  if (!isWhole || context.attempt === undefined) {
    context.attempt?.then((carrier) => carrier.close()).catch(() => undefined);
    return [];
  }
  const carrier = await context.attempt;
  try {
    const { nodes = [] } = await diagnoseDyno(carrier, heroku.facts?.configVars ?? {}, checks);
    return nodes;
  } finally {
    carrier.close();
  }
}

function gate(
  dyno: string,
  { app, facts, manager }: HerokuContext,
  { target, round }: WayChecks,
  keys: () => Promise<SshKeyPair>,
): Transport {
  return herokuTransport({
    app,
    dyno,
    manager: manager(facts === undefined ? undefined : addonUrlOf(facts)),
    keys,
    dial: createDialer(target.spec.via, round.clock),
    agentPort: target.spec.agentPort,
    clock: round.clock,
    logger: silentLogger,
  });
}

/** A pid carries its node's name: two nodes of one name can't be told apart by anybody. */
function lookForSameNames(visited: readonly Visited[]): Finding | undefined {
  const dynosOf = new Map<string, string[]>();
  for (const { dyno, nodes } of visited) {
    for (const { name } of nodes) {
      if (name !== undefined) dynosOf.set(name, [...(dynosOf.get(name) ?? []), dyno]);
    }
  }
  if (dynosOf.size === 0 || visited.length < 2) return undefined;
  const same = [...dynosOf].filter(([, dynos]) => dynos.length > 1);
  if (same.length === 0) return ok('every node has a name of its own');
  const told = same.map(([name, dynos]) => `${name} in ${dynos.join(', ')}`).join('; ');
  return warning(
    told,
    'only one of them can be reached at a time: choose its dyno with -d, or name nodes after their host (`app@$(hostname)`)',
  );
}
