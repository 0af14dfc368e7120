import { setTimeout as delay } from 'node:timers/promises';
import type { PingResult } from '../../daemon/control/api.ts';
import { type ControlClient, fromErrorStatus } from '../../daemon/control/client.ts';
import { EpmuxError, ERROR_CODES, Exit, type ExitCode } from '../../protocol/errors.ts';
import { jsonText } from '../../protocol/text.ts';
import { defineCommand, JSON_OPTION, NODE_FORMS } from '../command.ts';
import { withDaemon } from '../daemon.ts';
import type { Io } from '../io.ts';
import { hintLine } from '../report.ts';
import { printable } from '../terminal/printable.ts';
import { formatRtt } from '../terminal/units.ts';
import { cookieIn } from '../way/cookie.ts';
import { absolutePath } from '../way/spec.ts';
import { cookieVariable } from '../way/variables.ts';

const PING_EVERY_MS = 1_000;
const MAX_PINGS = 1_000_000;

export const ping = defineCommand({
  name: 'ping',
  about:
    'pong or pang, by a real distribution handshake with the cookie, and the round-trip time. Needs no Erlang here.',
  positional: {
    name: 'NODE',
    describe: NODE_FORMS,
    complete: 'node',
  },
  options: {
    count: {
      type: 'string',
      alias: 'c',
      requiresArg: true,
      describe: 'how many times (default 1)',
    },
    'cookie-file': {
      type: 'string',
      requiresArg: true,
      describe: 'holds the production cookie; also EPMUX_COOKIE',
      complete: 'file',
    },
    json: JSON_OPTION,
  },
  examples: [
    ['ping', 'the only node'],
    ['ping my_app -c 10', 'ten times, one a second'],
  ],
  async run({ options, positional }, io): Promise<ExitCode> {
    const times = parseCount(options.count);
    const cookie = readCookie(options['cookie-file'], io);
    const params = {
      ...(positional === undefined ? {} : { node: positional }),
      ...(cookie === undefined ? {} : { cookie }),
    };
    const results = await withDaemon(io, (daemon) =>
      pingTimes(daemon, params, times, io, options.json === true),
    );
    if (options.json === true) io.out(jsonText(pingDocument(results)));
    return exitOf(results);
  },
});

async function pingTimes(
  daemon: ControlClient,
  params: { readonly node?: string; readonly cookie?: string },
  times: number,
  io: Io,
  quiet: boolean,
): Promise<readonly PingResult[]> {
  const results: PingResult[] = [];
  let told: string | undefined;
  while (results.length < times) {
    if (results.length > 0) await delay(PING_EVERY_MS, undefined, { signal: io.interrupted });
    const result = await daemon.call('ping', params, { signal: io.interrupted });
    results.push(result);
    if (!quiet) io.out(pingLine(result));
    const hint = result.error === null ? undefined : fromErrorStatus(result.error).hint;
    if (hint !== undefined && hint !== told) io.talk(hintLine(hint, io.paintTalk));
    told = hint;
  }
  return results;
}

function pingLine({ node, pong, rttMs, error }: PingResult): string {
  const name = printable(node);
  if (pong) return `pong  ${name}${rttMs === null ? '' : `  ${formatRtt(rttMs)}`}`;
  return `pang  ${name}${error === null ? '' : `  ${printable(error.message)} (${error.code})`}`;
}

function pingDocument(results: readonly PingResult[]): unknown {
  return {
    node: results[0]?.node ?? null,
    sent: results.length,
    received: results.filter(({ pong }) => pong).length,
    pings: results.map(({ pong, rttMs, error }) => ({ pong, rttMs, error })),
  };
}

/** Any pang: 3, and 5 when it was the cookie or the like. */
function exitOf(results: readonly PingResult[]): ExitCode {
  const pangs = results.filter(({ pong }) => !pong);
  if (pangs.length === 0) return Exit.done;
  const refused = pangs.some(
    ({ error }) => error !== null && ERROR_CODES[error.code]?.exit === Exit.notAllowed,
  );
  return refused ? Exit.notAllowed : Exit.notConnected;
}

function parseCount(text: string | undefined): number {
  if (text === undefined) return 1;
  const times = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (times < 1 || times > MAX_PINGS) {
    throw new EpmuxError('USAGE', `-c takes a number from 1 to ${MAX_PINGS}, not "${text}"`);
  }
  return times;
}

function readCookie(file: string | undefined, { cwd, env }: Io): string | undefined {
  return file === undefined ? cookieVariable(env) : cookieIn(absolutePath(file, cwd, env));
}
