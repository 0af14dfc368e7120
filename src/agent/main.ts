import { EpmuxError, ERROR_CODES, stackOf } from '../protocol/errors.ts';
import type { Environment } from '../runtime/environment.ts';
import type { Logger } from '../runtime/logger.ts';
import { keepHeapSmall } from '../runtime/small-heap.ts';
import { VERSION } from '../runtime/version.ts';
import { runApp } from './child.ts';
import { AGENT_HELP } from './help.ts';
import { createLineLogger } from './line-logger.ts';
import { openLogOutput } from './log-output.ts';
import { type AgentOptions, type AgentRequest, parseAgentOptions } from './options.ts';
import { givenEnvironment, leaveProcessOne } from './process-one.ts';
import { takePushedSecret } from './pushed.ts';
import { loadSecret } from './secret.ts';
import { startTunnel, type Tunnel } from './tunnel.ts';

/** What is wrong with the environment of an agent that has an app to run. */
interface EnvProblem {
  readonly envProblem?: unknown;
}

/** Signals that end an agent without an app, and the exit code. */
const ENDING = { SIGTERM: 0, SIGHUP: 0, SIGINT: 130 } as const;

/**
 * `epmux agent`; `argv` starts behind the word `agent`. Gives the exit code, which is the app's own
 * where it runs one. With an app nothing that fails here keeps the app from running or ends it.
 */
export async function runAgent(argv: readonly string[], ownEnv: Environment): Promise<number> {
  keepHeapSmall();
  const env = givenEnvironment(ownEnv);
  // A log that nobody reads any more is no reason to fail.
  process.stderr.on('error', () => {});
  process.stdout.on('error', () => {});
  let request: AgentRequest & EnvProblem;
  try {
    request = parseRequest(argv, env);
  } catch (error) {
    return tell(error);
  }
  if (request.kind !== 'run') {
    process.stdout.write(request.kind === 'help' ? AGENT_HELP : `epmux ${VERSION}\n`);
    return 0;
  }
  const { options } = request;
  const log = createLineLogger(options.logLevel, openLogOutput());
  leaveProcessOne(log, { inherited: 'fd' in options.listen });
  const start = async (): Promise<Tunnel> => {
    if (request.envProblem !== undefined) throw request.envProblem;
    const { pushed, secretFile } = options;
    if (pushed === undefined) return startTunnel(options, loadSecret(secretFile, env, log), log);
    const tunnel = await startTunnel(options, takePushedSecret(pushed, log), log);
    process.stdout.write(`${tunnel.port}\n`);
    return tunnel;
  };
  return options.command.length > 0 ? runBeside(options, env, log, start) : runAlone(log, start);
}

/**
 * An app does not stay down for a wrong variable: it runs without the tunnel, and the log says why.
 */
function parseRequest(argv: readonly string[], env: Environment): AgentRequest & EnvProblem {
  try {
    return parseAgentOptions(argv, env);
  } catch (envProblem) {
    const request = parseAgentOptions(argv, {});
    if (request.kind === 'run' && request.options.command.length === 0) throw envProblem;
    return { ...request, envProblem };
  }
}

async function runBeside(
  options: AgentOptions,
  env: Environment,
  log: Logger,
  start: () => Promise<Tunnel>,
): Promise<number> {
  const app = runApp(options.command, env, log);
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= tunnel
      .then((running) => running?.stop())
      .catch((error: unknown) => warnWithoutTunnel(error, log));
    return stopping;
  };
  const onFailure = (error: unknown): void => {
    warnWithoutTunnel(error, log);
    void stop();
  };
  process.on('uncaughtException', onFailure);
  const tunnel = start().catch((error: unknown) => {
    warnWithoutTunnel(error, log);
    return undefined;
  });
  const code = await app.exited;
  await stop();
  app.release();
  process.off('uncaughtException', onFailure);
  return code;
}

async function runAlone(log: Logger, start: () => Promise<Tunnel>): Promise<number> {
  let tunnel: Tunnel;
  const signals = endingSignal();
  try {
    tunnel = await start();
  } catch (error) {
    signals.release();
    return tell(error);
  }
  const code = await Promise.race([signals.received, tunnel.ended.then(() => 0, tell)]);
  log.info('the agent stops');
  await tunnel.stop();
  signals.release();
  return code;
}

function endingSignal(): { readonly received: Promise<number>; release(): void } {
  const listeners = new Map<NodeJS.Signals, () => void>();
  const received = new Promise<number>((resolve) => {
    for (const [signal, code] of Object.entries(ENDING) as [NodeJS.Signals, number][]) {
      const listener = (): void => resolve(code);
      listeners.set(signal, listener);
      process.on(signal, listener);
    }
  });
  return {
    received,
    release() {
      for (const [signal, listener] of listeners) process.off(signal, listener);
    },
  };
}

function warnWithoutTunnel(error: unknown, log: Logger): void {
  const { code, message, hint } = described(error);
  log.warn('THE APP RUNS WITHOUT A TUNNEL', { reason: message, code, hint });
}

function tell(error: unknown): number {
  const { code, message, hint } = described(error);
  process.stderr.write(`epmux: ${message} (${code})\nhint: ${hint}\n`);
  return ERROR_CODES[code].exit;
}

function described(error: unknown): EpmuxError {
  if (error instanceof EpmuxError) return error;
  return new EpmuxError('INTERNAL', stackOf(error));
}
