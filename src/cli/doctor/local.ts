import type { DaemonStatus, Leading } from '../../daemon/control/api.ts';
import type { EpmdName } from '../../erlang/epmd.ts';
import { EpmuxError } from '../../protocol/errors.ts';
import { systemClock } from '../../runtime/clock.ts';
import { isOldNode, OLDEST_NODE_TEXT } from '../../runtime/node-version.ts';
import { VERSION } from '../../runtime/version.ts';
import { crashes } from '../terminal/status-view.ts';
import { count } from '../terminal/units.ts';
import { broken, type Check, ok, warning } from './check.ts';
import { lookAtLoopback } from './loopback.ts';

export interface CookieFile {
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  readonly isOwn: boolean;
  readonly isEmpty: boolean;
}

export interface DaemonSide {
  readonly version: string;
  readonly status: DaemonStatus;
  readonly leading: Leading;
}

/** What the checks of this machine look at. */
export interface LocalPorts {
  readonly nodeVersion: string;
  /** The last line that the program prints; undefined when it is not on the PATH. */
  ask(program: string, args: readonly string[], signal: AbortSignal): Promise<string | undefined>;
  /** This user's, where Erlang looks for it. Throws PERMISSION_DENIED. */
  cookieFile(): Promise<CookieFile | undefined>;
  /** The port of this machine's own epmd. */
  readonly epmdPort: number;
  epmdNames(port: number): Promise<readonly EpmdName[]>;
  /** Undefined: none runs. */
  daemon(signal: AbortSignal): Promise<DaemonSide | undefined>;
  canListen(address: string): Promise<boolean>;
}

export interface LocalContext {
  readonly ports: LocalPorts;
  /** Learned: the OTP release here. */
  release?: number;
  /** Learned: the daemon that runs. */
  daemon?: DaemonSide;
}

/** Before this one a node knows neither dynamic names nor the handshake's version 6. */
const OLDEST_RELEASE = 23;
const RELEASE_PROGRAM = 'io:format("~s~n", [erlang:system_info(otp_release)]), halt().';
const FOR_SHELLS =
  'ping, exec and tunnels work without it; remsh, observer and local nodes need it';

export const LOCAL_CHECKS: readonly Check<LocalContext>[] = [
  { id: 'node', title: 'Node', look: ({ ports }) => lookAtNode(ports.nodeVersion) },
  { id: 'erlang', title: 'Erlang', look: lookAtErlang },
  { id: 'elixir', title: 'Elixir', look: ({ ports }, signal) => lookAtElixir(ports, signal) },
  { id: 'local-cookie', title: 'cookie here', look: ({ ports }) => lookAtCookie(ports) },
  { id: 'local-epmd', title: 'epmd here', look: ({ ports }) => lookAtEpmd(ports) },
  { id: 'daemon', title: 'daemon', look: lookAtDaemon },
  { id: 'virtual-epmd', title: 'virtual epmd', look: lookAtVirtualEpmd },
  {
    id: 'loopback',
    title: 'loopback addresses',
    look: ({ ports, daemon }) => lookAtLoopback(ports.canListen, daemon?.status.tunnels ?? []),
  },
];

function lookAtNode(version: string) {
  if (!isOldNode(version)) return ok(version);
  return broken(
    new EpmuxError('UNSUPPORTED', `${version} is too old`, {
      hint: `install Node ${OLDEST_NODE_TEXT} or later`,
    }),
  );
}

async function lookAtErlang(context: LocalContext, signal: AbortSignal) {
  const text = await context.ports.ask('erl', ['-noshell', '-eval', RELEASE_PROGRAM], signal);
  if (text === undefined) return warning('no erl is on the PATH', `install Erlang: ${FOR_SHELLS}`);
  const release = Number(text);
  if (!Number.isInteger(release)) {
    return warning('erl does not say its release', 'run `erl`: does it start?');
  }
  context.release = release;
  return release >= OLDEST_RELEASE
    ? ok(`OTP ${release}`)
    : warning(`OTP ${release} is old`, `install OTP ${OLDEST_RELEASE} or later`);
}

async function lookAtElixir(ports: LocalPorts, signal: AbortSignal) {
  const text = await ports.ask('elixir', ['--short-version'], signal);
  return ok(text === undefined ? 'none: `epmux remsh` needs Erlang alone' : text.slice(0, 40));
}

async function lookAtCookie(ports: LocalPorts) {
  const file = await ports.cookieFile();
  if (file === undefined)
    return ok('none yet: the first connection to a node, or the first local node, makes one');
  const mode = `0${file.mode.toString(8)}`;
  const wrong = (what: string, hint: string) =>
    broken(new EpmuxError('PERMISSION_DENIED', `${file.path} ${what}`, { hint }));
  if (!file.isOwn) return wrong('belongs to somebody else', `make it yours: chown it`);
  if ((file.mode & 0o077) !== 0) {
    return wrong(`is open to others (${mode}): Erlang does not start so`, `chmod 400 ${file.path}`);
  }
  if (file.isEmpty) return wrong('is empty', `remove it: the next node makes a new one`);
  return ok(`${file.path}, ${mode}`);
}

async function lookAtEpmd({ epmdPort, epmdNames }: LocalPorts) {
  try {
    const names = await epmdNames(epmdPort);
    return ok(`runs on ${epmdPort}, ${count(names.length, 'node')}`);
  } catch (error) {
    if (!(error instanceof EpmuxError)) throw error;
    if (error.code === 'NO_EPMD') return ok(`none on ${epmdPort}: the first local node starts one`);
    return warning(
      `what listens on ${epmdPort} is no epmd`,
      'local nodes of this machine do not find each other until it is gone; the tunnels do not need it',
    );
  }
}

async function lookAtDaemon(context: LocalContext, signal: AbortSignal) {
  const daemon = await context.ports.daemon(signal);
  if (daemon === undefined) return ok('does not run: `epmux up` starts it');
  context.daemon = daemon;
  const { pid, problems = [] } = daemon.status.daemon;
  if (daemon.version !== VERSION) {
    return broken(
      new EpmuxError(
        'DAEMON_VERSION',
        `pid ${pid} is epmux ${daemon.version}, this command is ${VERSION}`,
      ),
    );
  }
  const [crash] = crashes(daemon.status.daemon, systemClock.wallNow());
  if (crash !== undefined) return warning(crash, 'the report says what it did last');
  if (problems.length > 0) return warning(problems.join('; '), '`epmux logs` says more');
  return ok(`runs (pid ${pid}, ${VERSION}), ${count(daemon.status.tunnels.length, 'tunnel')}`);
}

async function lookAtVirtualEpmd({ ports, daemon }: LocalContext) {
  if (daemon === undefined) return undefined;
  const port = daemon.leading.epmdPort;
  const names = await ports.epmdNames(port);
  return ok(`answers on ${port}, ${count(names.length, 'name')} on 127.0.0.1`);
}
