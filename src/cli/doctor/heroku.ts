import type { Dyno } from '../../heroku/answers.ts';
import type { ApiKey } from '../../heroku/credentials.ts';
import type { ExecManager } from '../../heroku/exec-manager.ts';
import { formationOf, requireRunning, type WantedDyno } from '../../heroku/formation.ts';
import type { AppInfo, Platform } from '../../heroku/platform.ts';
import {
  addonUrlOf,
  type ExecFacts,
  type ExecQuestions,
  execFacts,
  execObstacle,
  execWarnings,
} from '../../heroku/preflight.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import { broken, type Check, type Finding, ok, warning } from './check.ts';

export interface HerokuContext {
  readonly app: string;
  /** `web.1`, `web`; none: every running dyno. */
  readonly selectors: readonly string[];
  readonly platform: ExecQuestions & Pick<Platform, 'dynos'>;
  readonly manager: (addonUrl: string | undefined) => Pick<ExecManager, 'list' | 'register'>;
  /** Throws HEROKU_AUTH_MISSING. */
  readonly apiKey: () => Promise<ApiKey>;
  /** Learned, in this order. */
  info?: Promise<AppInfo>;
  facts?: ExecFacts;
  /** Up, and an SSH server is registered. */
  reachable?: readonly WantedDyno[];
}

const KEY_REFUSED = ['HEROKU_AUTH_REFUSED', 'HEROKU_AUTH_MISSING'] as const;
const MANY = 8;

/** Leaves the dynos that can be reached in the context when none is broken. */
export const HEROKU_CHECKS: readonly Check<HerokuContext>[] = [
  { id: 'credentials', title: 'Heroku key', vital: true, look: lookAtKey },
  { id: 'app', title: 'app', vital: true, look: lookAtApp },
  { id: 'generation', title: 'generation', vital: true, look: lookAtGeneration },
  { id: 'space', title: 'space', vital: true, look: lookAtSpace },
  { id: 'stack', title: 'stack', look: lookAtStack },
  { id: 'buildpack', title: 'Exec buildpack', vital: true, look: lookAtBuildpack },
  { id: 'feature', title: 'Heroku Exec', vital: true, look: lookAtFeature },
  { id: 'dynos', title: 'dynos', vital: true, look: lookAtDynos },
  { id: 'exec-manager', title: 'exec manager', vital: true, look: lookAtManager },
];

/**
 * Only a question to Heroku shows whether the key is good; what else goes wrong with it is the
 * app's line.
 */
async function lookAtKey(context: HerokuContext, signal: AbortSignal): Promise<Finding> {
  const { source } = await context.apiKey();
  context.info = context.platform.info(signal);
  const error: unknown = await context.info.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (EpmuxError.is(error, ...KEY_REFUSED)) throw error;
  return ok(`from ${source}`);
}

async function lookAtApp(context: HerokuContext): Promise<Finding> {
  const info = await context.info;
  return ok(info?.name ?? context.app);
}

async function lookAtGeneration(context: HerokuContext, signal: AbortSignal): Promise<Finding> {
  const info = await context.info;
  const { platform } = context;
  context.facts = await execFacts(
    info === undefined ? platform : { ...platform, info: async () => info },
    signal,
  );
  const { app } = context.facts;
  return app.generation === 'fir' ? obstacleOr(context.facts) : ok(app.generation);
}

function lookAtSpace({ facts }: HerokuContext): Finding {
  const space = facts?.app.space;
  if (facts === undefined || space === undefined) return ok('none: the Common Runtime');
  return space.shield ? obstacleOr(facts) : ok(`${space.name}, a Private Space`);
}

function lookAtStack({ facts }: HerokuContext): Finding | undefined {
  if (facts === undefined) return undefined;
  const { stack } = facts.app;
  const [told] = stack === 'container' ? execWarnings(facts) : [];
  if (told !== undefined) return warning(told, 'add what is missing to the image');
  return ok(stack ?? 'none: nothing was ever deployed');
}

function lookAtBuildpack({ facts }: HerokuContext): Finding | undefined {
  if (facts?.buildpacks === undefined) return undefined;
  const obstacle = execObstacle(facts);
  return obstacle?.code === 'EXEC_NEEDS_BUILDPACK' ? broken(obstacle) : ok('heroku/exec is there');
}

function lookAtFeature({ facts, app }: HerokuContext): Finding | undefined {
  if (facts === undefined) return undefined;
  const obstacle = execObstacle(facts);
  if (obstacle !== undefined) return broken(obstacle);
  if (addonUrlOf(facts) === undefined) return ok('is on');
  return warning(
    `${app} has the add-on heroku-exec of old`,
    `\`heroku addons:destroy heroku-exec -a ${app}\` removes it; Heroku Exec itself takes its place`,
  );
}

async function lookAtDynos(context: HerokuContext, signal: AbortSignal): Promise<Finding> {
  const { app, selectors, platform } = context;
  const dynos = await platform.dynos(signal);
  requireRunning(app, dynos, selectors);
  const { wanted } = formationOf(dynos, selectors);
  context.reachable = wanted.filter(({ isUp }) => isUp);
  const down = wanted.filter(({ isUp }) => !isUp);
  if (down.length === 0) return ok(listed(wanted));
  const isCrashed = down.some(({ state }) => state === 'crashed');
  return warning(
    `${listed(down)}; the other ${wanted.length - down.length} are up`,
    isCrashed
      ? `\`heroku logs -a ${app}\` says why; \`heroku ps:restart -a ${app}\` starts it anew`
      : `\`heroku ps -a ${app}\` shows when they are up`,
  );
}

async function lookAtManager(context: HerokuContext, signal: AbortSignal): Promise<Finding> {
  const { app, facts, reachable = [] } = context;
  const manager = context.manager(facts === undefined ? undefined : addonUrlOf(facts));
  const registered = await manager.list(signal);
  const missing = reachable.filter(({ name }) => !registered.includes(name));
  context.reachable = reachable.filter(({ name }) => registered.includes(name));
  if (missing.length === 0) return ok(`${reachable.length} of ${reachable.length} registered`);
  const names = missing.map(({ name }) => name).join(', ');
  const hint = `a dyno from before Exec was switched on has no SSH server: \`heroku ps:restart ${missing[0]?.name} -a ${app}\``;
  if (context.reachable.length > 0) return warning(`not registered: ${names}`, hint);
  return broken(new EpmuxError('DYNO_NOT_RUNNING', `Heroku Exec knows none of ${names}`, { hint }));
}

function obstacleOr(facts: ExecFacts): Finding {
  const obstacle = execObstacle(facts);
  return obstacle === undefined ? ok(facts.app.generation) : broken(obstacle);
}

function listed(dynos: readonly Dyno[]): string {
  const shown = dynos.slice(0, MANY).map(({ name, state }) => `${name} (${state})`);
  const more = dynos.length - shown.length;
  return shown.join(', ') + (more > 0 ? ` and ${more} more` : '');
}
