import type { ExecParams, TunnelSpec } from '../../daemon/control/api.ts';
import { connectProcess } from '../../daemon/exec/client.ts';
import { enableHint } from '../../heroku/preflight.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Carrier, ExecRequest, RemoteProcess } from '../../transport/transport.ts';
import { withDaemon } from '../daemon.ts';
import type { Io } from '../io.ts';
import { withExecEnabled } from '../way/enable-exec.ts';
import { HerokuExec } from './heroku.ts';
import { connectSsh } from './ssh.ts';

/** Where the command shall run. */
export interface ExecSource {
  readonly spec: TunnelSpec;
  /** Heroku Exec may be switched on without asking. */
  readonly yes: boolean;
  readonly logger: Logger;
  readonly io: Io;
}

export interface RunningProcess {
  readonly process: RemoteProcess;
  close(): void;
}

/** What only a Heroku app has. Throws USAGE, with the option that needs it, on other ways. */
export function herokuOf({ spec, io, logger }: ExecSource, option: string): HerokuExec {
  const { way, via } = spec;
  if (way.kind === 'heroku') return new HerokuExec({ way, via, logger, io });
  throw new EpmuxError('USAGE', `${option} is for Heroku apps`, { hint: 'name one with -a APP' });
}

/** Starts it over the connection of a tunnel that leads there, else over one of its own. */
export async function startProcess(
  source: ExecSource,
  request: ExecRequest,
): Promise<RunningProcess> {
  return (await startOverTunnel(source, request)) ?? startAlone(source, request);
}

/** Why a connection of its own is the better try. Nothing was started there. */
const NOT_THERE = [
  'DAEMON_NOT_RUNNING',
  'DAEMON_BUSY',
  'PERMISSION_DENIED',
  'TUNNEL_NOT_FOUND',
  'BUSY',
  // A daemon of another version.
  'CONTROL_PROTOCOL',
] as const;

async function startOverTunnel(
  { spec: { way, via }, io, logger }: ExecSource,
  request: ExecRequest,
): Promise<RunningProcess | undefined> {
  const params: ExecParams = {
    way,
    request,
    ...(via === undefined ? {} : { via }),
  };
  try {
    const { socket } = await withDaemon(io, (daemon) =>
      daemon.call('exec', params, { signal: io.interrupted }),
    );
    const process = await connectProcess(socket);
    logger.debug('runs over the connection of a tunnel');
    return { process, close: () => process.close() };
  } catch (error) {
    if (!EpmuxError.is(error, ...NOT_THERE)) throw error;
    logger.debug('runs over a connection of its own', { why: error.message });
    return undefined;
  }
}

async function startAlone(source: ExecSource, request: ExecRequest): Promise<RunningProcess> {
  const carrier = await connect(source, request);
  try {
    if (carrier.exec === undefined) {
      throw new EpmuxError('INTERNAL', `${carrier.label} can't run commands`);
    }
    const process = await carrier.exec(request, source.io.interrupted);
    return { process, close: () => carrier.close() };
  } catch (error) {
    carrier.close();
    throw error;
  }
}

/** This command enables Exec as well as `up` does. */
function withOwnHint(error: unknown, app: string): unknown {
  if (!EpmuxError.is(error, 'EXEC_DISABLED')) return error;
  return error.with({ hint: enableHint(`epmux exec -a ${app}`) });
}

function connect(source: ExecSource, request: ExecRequest): Promise<Carrier> {
  const { spec, yes, logger, io } = source;
  const { way, via } = spec;
  if (way.kind === 'heroku') {
    const heroku = herokuOf(source, 'exec');
    return withExecEnabled(spec, yes, io, () => heroku.connect(request)).catch((error: unknown) => {
      throw withOwnHint(error, way.app);
    });
  }
  if (way.kind === 'ssh') return connectSsh({ way, via, logger, io });
  throw new EpmuxError('USAGE', `exec needs SSH, and ${spec.name} leads another way`, {
    hint: 'give -a APP, or --ssh [user@]host',
  });
}
