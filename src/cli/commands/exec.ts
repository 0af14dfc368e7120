import type { TunnelSpec } from '../../daemon/control/api.ts';
import { EpmuxError, Exit } from '../../protocol/errors.ts';
import { defineCommand, JSON_OPTION, type OptionSpec } from '../command.ts';
import { runHere } from '../exec/local.ts';
import { talkLogger } from '../exec/logger.ts';
import { assertInput, type ExecInput, planRequest } from '../exec/plan.ts';
import { type ExecSource, herokuOf, startProcess } from '../exec/source.ts';
import { printExecStatus } from '../exec/status.ts';
import type { Io } from '../io.ts';
import { printable } from '../terminal/printable.ts';
import { WAY_OPTIONS, type WayInput } from '../way/options.ts';
import { planTunnel } from '../way/plan.ts';
import { runningSpec } from '../way/running.ts';

const WAY = {
  app: WAY_OPTIONS.app,
  remote: WAY_OPTIONS.remote,
  dyno: {
    ...WAY_OPTIONS.dyno,
    describe: 'a dyno (web.1) or a process type (web); default: web.1, else the first that is up',
  },
  ssh: WAY_OPTIONS.ssh,
  identity: WAY_OPTIONS.identity,
  via: WAY_OPTIONS.via,
} as const satisfies Record<string, OptionSpec>;

export const exec = defineCommand({
  name: 'exec',
  about:
    "Runs a command in a dyno, or a login shell. Exits with the command's code, 128+n when a signal ended it.",
  positional: {
    name: 'NAME',
    describe:
      'a tunnel that is configured or up (default: the only one); a command stands behind --',
    complete: 'any-tunnel',
  },
  options: {
    ...WAY,
    pipe: {
      type: 'string',
      requiresArg: true,
      describe: "hands stdin to CMD byte for byte, without a terminal: 'CMD …'",
    },
    env: { type: 'boolean', describe: "give the command the app's config vars" },
    tty: { type: 'boolean', alias: 't', describe: 'a terminal there, whatever is here' },
    'no-tty': { type: 'boolean', alias: 'T', describe: 'no terminal there' },
    status: { type: 'boolean', describe: 'show which dynos have Exec running' },
    yes: {
      type: 'boolean',
      alias: 'y',
      describe: 'enable Heroku Exec where it is off: ALL dynos restart',
    },
    json: JSON_OPTION,
  },
  rest: 'CMD',
  examples: [
    ['exec -a my-app', 'a login shell in web.1'],
    ['exec -a my-app -d worker.1 -- ps aux', 'a command in that dyno'],
    ["exec -a my-app --env -- 'echo $DATABASE_URL'", "a line for the shell, with the app's config"],
    ["exec -a my-app --pipe 'tar x' < files.tar", 'stdin to a command'],
    ['exec -a my-app --status', 'which dynos can be reached'],
  ],
  async run({ options, positional, rest }, io): Promise<number> {
    const input: ExecInput = options;
    assertInput(input, rest);
    const spec = await targetOf(positional, wayOf(options), io);
    const logger = talkLogger(options['log-level'] ?? 'warn', io.talk);
    const source: ExecSource = { spec, yes: options.yes === true, logger, io };
    if (input.status === true) {
      const heroku = herokuOf(source, '--status');
      printExecStatus(heroku.app, await heroku.status(), input.json === true, io);
      return Exit.done;
    }
    const variables = input.env === true ? await herokuOf(source, '--env').configVars() : undefined;
    const { request, environment } = planRequest(input, rest, variables, io);
    for (const name of environment?.leftOut ?? []) {
      const what = printable(`the config var ${name}`);
      io.talk(`warning: ${what} is left out: no shell takes this name`);
    }
    const running = await startProcess(source, request);
    try {
      const terminal = request.terminal !== undefined;
      return await runHere(running.process, { terminal, environment }, io);
    } finally {
      running.close();
    }
  },
});

function wayOf(options: WayInput): WayInput {
  return Object.fromEntries(Object.keys(WAY).map((key) => [key, options[key as keyof typeof WAY]]));
}

/**
 * As `up` finds it; NAME may also be a tunnel that runs. Where nothing says which: the only one
 * that runs.
 */
async function targetOf(name: string | undefined, way: WayInput, io: Io): Promise<TunnelSpec> {
  if (name !== undefined) assertNoWay(name, way);
  try {
    return await planTunnel(name, way, io.cwd, io.env);
  } catch (error) {
    if (!(error instanceof EpmuxError)) throw error;
    if (name === undefined) {
      const only =
        error.code === 'USAGE' && isUnsaid(way) ? await runningSpec(undefined, io) : undefined;
      if (only === undefined) throw error;
      return inDyno(only, way);
    }
    if (error.code !== 'TUNNEL_NOT_FOUND') throw error;
    const spec = await runningSpec(name, io);
    // Who left `--` out meant a command.
    if (spec === undefined) throw error.with({ hint: commandHint(name, '') });
    return inDyno(spec, way);
  }
}

/** A command of one word would be taken for NAME, and a login shell run in its place. */
function assertNoWay(name: string, way: WayInput): void {
  const named = (['app', 'remote', 'ssh'] as const).find((key) => way[key] !== undefined);
  if (named === undefined) return;
  throw new EpmuxError('USAGE', `--${named} and ${name} exclude each other: both say where to`, {
    hint: commandHint(name, `--${named} ${way[named]} `),
  });
}

function isUnsaid({ dyno: _, ...others }: WayInput): boolean {
  return Object.values(others).every((value) => value === undefined);
}

function inDyno(spec: TunnelSpec, { dyno }: WayInput): TunnelSpec {
  if (dyno === undefined || spec.way.kind !== 'heroku') return spec;
  return { ...spec, way: { ...spec.way, dynos: [dyno].flat() } };
}

function commandHint(word: string, options: string): string {
  return `if ${word} is a command, it stands behind --: \`epmux exec ${options}-- ${word}\``;
}
