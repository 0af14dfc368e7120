import { EpmuxError } from '../protocol/errors.ts';
import type { Dyno } from './answers.ts';
import { besideDynos } from './beside-dynos.ts';
import type { AppInfo, Platform } from './platform.ts';

/** What decides whether Heroku Exec leads into an app. */
export interface ExecFacts {
  readonly app: AppInfo;
  readonly enabled: boolean;
  /** Undefined outside of spaces, where it does not matter. */
  readonly buildpacks: readonly string[] | undefined;
  /** Secrets. Undefined when the key may not read them. */
  readonly configVars: Readonly<Record<string, string>> | undefined;
}

/** What has to be asked to learn them. */
export type ExecQuestions = Pick<Platform, 'info' | 'execEnabled' | 'configVars' | 'buildpacks'>;

const EXEC_BUILDPACKS = ['https://github.com/heroku/exec-buildpack', 'urn:buildpack:heroku/exec'];
const ADDON_VAR = 'HEROKU_EXEC_URL';

/**
 * Asks Heroku, all at once: a new connection takes longer than an answer. Changes nothing. What the
 * app itself is counts first: a Fir app has none of the rest, and whoever may not see the app
 * learns that rather than what follows from it.
 */
export async function execFacts(platform: ExecQuestions, signal: AbortSignal): Promise<ExecFacts> {
  const needed = new AbortController();
  const whileNeeded = AbortSignal.any([signal, needed.signal]);
  const rest = Promise.all([
    platform.execEnabled(whileNeeded),
    readableVars(platform, whileNeeded),
  ]);
  rest.catch(() => undefined);
  try {
    const app = await platform.info(signal);
    if (app.generation === 'fir') {
      return { app, enabled: false, buildpacks: undefined, configVars: undefined };
    }
    const buildpacks = app.space === undefined ? undefined : platform.buildpacks(whileNeeded);
    const [[enabled, configVars], found] = await Promise.all([rest, buildpacks]);
    return { app, enabled, buildpacks: found, configVars };
  } finally {
    needed.abort();
  }
}

export interface Preflight {
  readonly facts: ExecFacts;
  readonly dynos: readonly Dyno[];
}

/**
 * An app that Exec leads into, and its dynos, asked at once. Throws EXEC_UNSUPPORTED,
 * EXEC_NEEDS_BUILDPACK or EXEC_DISABLED, or what asking throws; what is wrong with the app counts
 * before what is wrong with its dynos.
 */
export async function preflight(
  platform: ExecQuestions & Pick<Platform, 'dynos'>,
  signal: AbortSignal,
): Promise<Preflight> {
  const check = async (): Promise<ExecFacts> => {
    const found = await execFacts(platform, signal);
    const obstacle = execObstacle(found);
    if (obstacle !== undefined) throw obstacle;
    return found;
  };
  const [facts, dynos] = await besideDynos(check, (needed) => platform.dynos(needed), signal);
  return { facts, dynos };
}

/** Why Exec leads nowhere; the first of several. */
export function execObstacle(facts: ExecFacts): EpmuxError | undefined {
  const { app, enabled } = facts;
  if (app.generation === 'fir') {
    return new EpmuxError('EXEC_UNSUPPORTED', `${app.name} is a Fir app: it has no Heroku Exec`, {
      hint: `\`heroku run:inside DYNO -a ${app.name}\` opens a shell there; a tunnel needs another way, such as --connect`,
    });
  }
  if (app.space?.shield === true) {
    return new EpmuxError(
      'EXEC_UNSUPPORTED',
      `${app.name} is in the Shield space ${app.space.name}, where Heroku allows no Exec`,
    );
  }
  if (lacksBuildpack(facts)) return withoutBuildpack(facts);
  if (!enabled && addonUrlOf(facts) === undefined) {
    return new EpmuxError(
      'EXEC_DISABLED',
      `Heroku Exec is off for ${app.name}; to enable it ALL its dynos restart`,
      { hint: enableHint(`epmux up -a ${app.name}`) },
    );
  }
  return undefined;
}

/**
 * The next step where Exec is off; `command` names the app, for the folder may stand for another
 * one.
 */
export function enableHint(command: string): string {
  return `run \`${command} --yes\`: it enables Heroku Exec, and ALL dynos restart`;
}

/** What a person should know although Exec may well work. */
export function execWarnings(facts: ExecFacts): string[] {
  const { app } = facts;
  const warnings: string[] = [];
  if (app.stack === 'container') {
    warnings.push(
      `${app.name} runs a container image: Heroku Exec needs bash, curl and openssh-server in it`,
    );
  }
  if (addonUrlOf(facts) !== undefined) {
    warnings.push(
      `${app.name} has the add-on heroku-exec of old; \`heroku addons:destroy heroku-exec -a ${app.name}\` removes it`,
    );
  }
  return warnings;
}

/** The URL of the add-on's service, credentials included: a secret. */
export function addonUrlOf(facts: Pick<ExecFacts, 'configVars'>): string | undefined {
  return facts.configVars?.[ADDON_VAR] || undefined;
}

function lacksBuildpack({ app, buildpacks }: ExecFacts): boolean {
  if (buildpacks === undefined || app.stack === 'container') return false;
  return !buildpacks.some((url) => EXEC_BUILDPACKS.some((start) => url.startsWith(start)));
}

function withoutBuildpack({ app, enabled }: ExecFacts): EpmuxError {
  const commands = [
    ...(enabled ? [] : [`heroku features:enable runtime-heroku-exec -a ${app.name}`]),
    `heroku buildpacks:add -i 1 heroku/exec -a ${app.name}`,
    'git commit --allow-empty -m "Heroku Exec"',
    'git push heroku HEAD:main',
  ];
  return new EpmuxError(
    'EXEC_NEEDS_BUILDPACK',
    `${app.name} is in the space ${app.space?.name}, where Heroku Exec needs a buildpack that it does not have`,
    { hint: `add it and deploy: ${commands.map((command) => `\`${command}\``).join(', ')}` },
  );
}

/** A key that may use Exec but not read config vars is good enough. */
async function readableVars(platform: Pick<Platform, 'configVars'>, signal: AbortSignal) {
  try {
    return await platform.configVars(signal);
  } catch (error) {
    if (EpmuxError.is(error, 'HEROKU_FORBIDDEN')) return undefined;
    throw error;
  }
}
