import type { ControlMethods, TunnelSpec, UpSecrets } from '../../daemon/control/api.ts';
import type { ControlClient } from '../../daemon/control/client.ts';
import { daemonPaths } from '../../daemon/paths.ts';
import { enableHint } from '../../heroku/preflight.ts';
import { EpmuxError, Exit } from '../../protocol/errors.ts';
import { jsonText } from '../../protocol/text.ts';
import type { LogLevel } from '../../runtime/logger.ts';
import { defineCommand, JSON_OPTION } from '../command.ts';
import { withStartedDaemon } from '../daemon.ts';
import type { Io } from '../io.ts';
import { assertNodes, linkWarnings } from '../terminal/link-news.ts';
import { printable } from '../terminal/printable.ts';
import { renderNodes } from '../terminal/status-view.ts';
import { createSteps, type Steps } from '../terminal/steps.ts';
import { askHerokuAhead } from '../way/ahead.ts';
import { withExecEnabled } from '../way/enable-exec.ts';
import { withHostKeyAccepted } from '../way/new-host-key.ts';
import { WAY_OPTIONS } from '../way/options.ts';
import { unusedVariables, upSecrets } from '../way/plan.ts';
import { planOrRunning } from '../way/running.ts';
import { namesWay } from '../way/spec.ts';

/**
 * The daemon has limits of its own for each step; this one only keeps a broken daemon from holding
 * the terminal.
 */
const UP_TIMEOUT_MS = 180_000;

type UpResult = ControlMethods['up'][1];

export const up = defineCommand({
  name: 'up',
  about:
    'Brings a tunnel up in the background, shows each step and the nodes. The way stands on the command line, or in [tunnels.NAME] of epmux.toml.',
  positional: {
    name: 'NAME',
    describe:
      'a tunnel that is configured or up, or what to call this one; not needed when one is configured',
    complete: 'configured',
  },
  options: {
    ...WAY_OPTIONS,
    foreground: {
      type: 'boolean',
      describe: 'stay, log to stderr, take the tunnel down at SIGINT, SIGTERM or SIGHUP',
    },
    yes: {
      type: 'boolean',
      alias: 'y',
      describe: 'enable Heroku Exec where it is off: ALL dynos restart',
    },
    json: JSON_OPTION,
  },
  examples: [
    ['up -a my-app', 'every running dyno of a Heroku app'],
    ['up -a my-app -d web.1 -d worker', 'one of its dynos, and all of a type'],
    ['up --ssh deploy@example.com', "that host's nodes; the tunnel is called example.com"],
    ['up prod --connect localhost:9001', 'an agent behind a port that something else forwards'],
    ["up --command 'kubectl exec -i app -- epmux agent --stdio'", 'an agent behind a command'],
    ['up prod', 'what [tunnels.prod] of epmux.toml says'],
  ],
  async run({ options, positional }, io): Promise<number> {
    if (options.foreground === true && options.json === true) {
      throw new EpmuxError(
        'USAGE',
        '--foreground and --json exclude each other: it prints no result',
      );
    }
    const spec = await planOrRunning(positional, options, io);
    const secrets = upSecrets(spec, io.env);
    for (const line of unusedVariables(spec, io.env)) io.talk(printable(line));
    const level = options['log-level'];
    const enabled = <T>(work: () => Promise<T>): Promise<T> =>
      withExecEnabled(spec, options.yes === true, io, work).catch((error: unknown) => {
        throw namesWay(options) ? error : withTunnelHint(error, spec, positional);
      });
    if (options.foreground === true) {
      return enabled(() => stayInForeground(spec, secrets, level, io));
    }
    const result = await enabled(() => bringUp(spec, secrets, level, io));
    const { tunnel } = result;
    if (result.alreadyUp) io.talk(`${tunnel.name} is up already`);
    assertNodes(tunnel);
    for (const line of linkWarnings(tunnel, io.paintTalk)) io.talk(line);
    if (options.json === true) {
      io.out(jsonText({ alreadyUp: result.alreadyUp, tunnel }));
    } else {
      for (const line of renderNodes(tunnel.nodes, io.paintOut)) io.out(line);
    }
    return Exit.done;
  },
});

/**
 * A tunnel of the file is enabled by its name: by its app alone it would be another one, without
 * what else the file says.
 */
function withTunnelHint(
  error: unknown,
  { name, way }: TunnelSpec,
  positional: string | undefined,
): unknown {
  if (way.kind !== 'heroku' || !EpmuxError.is(error, 'EXEC_DISABLED')) return error;
  const isOfFile = positional !== undefined || name !== way.app;
  return isOfFile ? error.with({ hint: enableHint(`epmux up ${name}`) }) : error;
}

async function bringUp(
  spec: TunnelSpec,
  secrets: UpSecrets,
  level: LogLevel | undefined,
  io: Io,
): Promise<UpResult> {
  const steps = createSteps(io);
  // One that is there already asks as fast itself.
  const ahead = io.earlyDaemon?.isWaiting ? askHerokuAhead(spec, io) : undefined;
  try {
    steps.begin('reaching the daemon');
    const result = await withStartedDaemon(io, level, async (daemon) => {
      const told = await ahead?.answers();
      return askUp(daemon, { spec, secrets, ...(told && { ahead: told }) }, steps, io);
    });
    const { links } = result.tunnel;
    steps.finish(links.filter(({ state }) => state !== 'up').map(({ dyno }) => dyno));
    return result;
  } catch (error) {
    // Heroku has answered: what comes next is the question whether to enable it.
    if (EpmuxError.is(error, 'EXEC_DISABLED')) steps.finish();
    else steps.fail();
    throw error;
  } finally {
    ahead?.drop();
  }
}

async function askUp(
  daemon: ControlClient,
  { secrets, ...params }: ControlMethods['up'][0],
  steps: Steps,
  io: Io,
): Promise<UpResult> {
  // What fails from here on is another step.
  steps.finish();
  return withHostKeyAccepted(
    io,
    (accepted) =>
      daemon.call(
        'up',
        { ...params, secrets: { ...secrets, ...accepted } },
        {
          timeoutMs: UP_TIMEOUT_MS,
          signal: io.interrupted,
          onProgress: ({ step, done }) => (done ? steps.done(step) : steps.begin(step)),
        },
      ),
    () => steps.fail(),
  );
}

async function stayInForeground(
  spec: TunnelSpec,
  secrets: UpSecrets,
  level: LogLevel | undefined,
  io: Io,
): Promise<number> {
  const { endIdleDaemon } = await import('../../daemon/end-daemon.ts');
  await endIdleDaemon(daemonPaths(io.env), io.interrupted);
  const { runForeground } = await import('../../daemon/main.ts');
  return withHostKeyAccepted(io, async (accepted) => {
    // The daemon takes the signals: it has a tunnel to take down.
    const release = io.holdInterrupts();
    try {
      return await runForeground(spec, { ...secrets, ...accepted }, io.env, level);
    } finally {
      release();
    }
  });
}
