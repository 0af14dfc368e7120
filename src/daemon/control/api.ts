/**
 * What commands may ask of the daemon, and what it answers: JSON-RPC 2.0, one JSON text a line,
 * over the control socket. While a request runs the daemon may send `progress` notifications that
 * carry the request's id.
 */
import type { HerokuAhead } from '../../heroku/ahead.ts';
import type { ProxyVariables } from '../../heroku/proxy.ts';
import type { HerokuVariables } from '../../heroku/settings.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { ExecRequest } from '../../transport/transport.ts';
import type { Way } from '../../transport/way.ts';

export type { Way };

export type LinkState = 'connecting' | 'up' | 'reconnecting' | 'down' | 'failed';
export type LinkMode = 'agent' | 'direct';
/** Pushed by the link itself, or one that was there and listened. */
export type AgentKind = 'pushed' | 'listening';
export type AgentChoice = 'auto' | 'require' | 'none';

/**
 * What a tunnel may be called: one word of at most 64 characters without slashes. Also a file's
 * name, so nothing that leads out of a folder.
 */
export const TUNNEL_NAME = /^[^\s/\\\p{Cc}.-][^\s/\\\p{Cc}]{0,63}$/u;

/** A Heroku app's name or id. */
export const APP_NAME = /^[a-z0-9][a-z0-9-]*$/;
/** `web.1`, `web`, `run.1234`. */
export const DYNO_SELECTOR = /^[A-Za-z0-9][\w-]*(\.\d+)?$/;

/** The longest texts that the daemon takes, in characters. */
export const LONGEST = {
  app: 255,
  /** What connects. */
  command: 65_536,
  cookie: 255,
  /** `web.1`, or Heroku's id of it. */
  dyno: 255,
  fingerprint: 255,
  host: 255,
  list: 65_536,
  /** With its tunnel and its dyno before it. */
  node: 1_024,
  path: 4_096,
  /** What runs there: as much as Linux takes for one argument. */
  remoteCommand: 131_072,
  secret: 4_096,
  term: 255,
  token: 4_096,
  url: 4_096,
  user: 255,
  via: 1_024,
} as const;
/** Dynos and process types of one tunnel. */
export const MAX_DYNOS = 100;

export interface TunnelSpec {
  readonly name: string;
  readonly way: Way;
  /**
   * The SOCKS proxy in between, `socks5://[user:pass@]host:port`. May hold a password: never
   * logged.
   */
  readonly via?: string;
  readonly agent: AgentChoice;
  readonly agentPort: number;
  /** Refuse visible local nodes rather than hide them. */
  readonly hiddenOnly: boolean;
  readonly secretFile?: string;
  readonly cookieFile?: string;
  /** The dyno's epmd where no agent is there to ask it; 4369 unless told. */
  readonly epmdPort?: number;
}

/** Given with `up`, kept in memory (the secret also in a 0600 state file), never logged. */
export interface UpSecrets {
  readonly secret?: string;
  readonly cookie?: string;
  /** The SHA-256 fingerprint (`SHA256:…`) of the new host key that a person has just accepted. */
  readonly acceptHostKey?: string;
  /** The caller's ssh-agent socket: the daemon may have been started from another login. */
  readonly sshAuthSock?: string;
  /**
   * The caller's HEROKU_API_KEY; without it, also where an `up` before had one, the daemon reads
   * ~/.netrc. In memory only.
   */
  readonly herokuToken?: string;
  /**
   * The caller's HEROKU_API_URL and the like: its key is for that host alone. Without it those of
   * the daemon count. In memory only.
   */
  readonly herokuVariables?: HerokuVariables;
  /**
   * The caller's HTTPS_PROXY and the like, for calls to Heroku; without it those of the daemon
   * count. In memory only.
   */
  readonly proxyVariables?: ProxyVariables;
  /**
   * The file that the caller's NODE_EXTRA_CA_CERTS names, for calls to Heroku: whom to trust
   * besides. An absolute path.
   */
  readonly extraCaFile?: string;
}

export interface ErrorStatus {
  readonly code: ErrorCode;
  readonly message: string;
  /** The next step. */
  readonly hint?: string;
  /** ISO 8601. */
  readonly at: string;
}

export interface LinkStatus {
  readonly dyno: string | null;
  readonly mode: LinkMode;
  /** Null where none is there (`direct`), or none was ever attached to. */
  readonly agent: AgentKind | null;
  /** Why it goes without an agent; null in mode `agent`. */
  readonly whyDirect: string | null;
  readonly state: LinkState;
  /** Rounded to hundredths. */
  readonly rttMs: number | null;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly streams: number;
  readonly resumes: number;
  readonly outageMs: number;
  /** The agent's boot id, or null in direct mode. */
  readonly incarnation: string | null;
  /** Why it is not up; absent when it is, or where nothing went wrong. */
  readonly lastError?: ErrorStatus;
  /** Why the epmd there tells no nodes; absent while it does, or was not asked. */
  readonly epmdError?: ErrorStatus;
  /** A node there that no local port can be had for, and why; absent when all have one. */
  readonly portless?: string;
}

export interface NodeStatus {
  readonly name: string;
  readonly dyno: string | null;
  readonly address: string;
  readonly port: number;
  readonly state: 'up' | 'stale';
  /** Why a local node can't reach it by its name; absent when it can. */
  readonly unreachable?: string;
  /**
   * The last connection to it that was cut for a reason of the tunnel's or of a relay's; absent
   * when none was.
   */
  readonly lastCut?: ErrorStatus;
}

/** A NODE that fits this very node, whatever else has its name. */
export function nodePath(tunnel: string, { dyno, name }: Pick<NodeStatus, 'dyno' | 'name'>) {
  return dyno === null ? `${tunnel}/${name}` : `${tunnel}/${dyno}/${name}`;
}

export interface TunnelStatus {
  readonly name: string;
  readonly target: string;
  readonly state: LinkState;
  /** ISO 8601: since when it is in this state. */
  readonly since: string;
  readonly reconnects: number;
  readonly lastError: ErrorStatus | null;
  readonly links: readonly LinkStatus[];
  readonly nodes: readonly NodeStatus[];
  /** How many more there are, where one answer has no room for all. Absent when it has. */
  readonly nodesLeftOut?: number;
}

export interface DaemonStatus {
  readonly daemon: {
    readonly pid: number;
    readonly version: string;
    readonly startedAt: string;
    /**
     * What does not work at the moment and has to be known: a full disk, a port taken. Absent when
     * there is nothing.
     */
    readonly problems?: readonly string[];
    /** Its pid; null when none lives. Absent in the foreground, as are the next two. */
    readonly supervisor?: number | null;
    /** How often the supervisor has started the daemon again. */
    readonly restarts?: number;
    /** `at` is ISO 8601, `report` a file. */
    readonly lastCrash?: {
      readonly at: string;
      readonly reason: string;
      readonly report: string;
    } | null;
  };
  readonly tunnels: readonly TunnelStatus[];
}

/** What a local node needs to be led to the tunnels' nodes. */
export interface Leading {
  readonly epmdPort: number;
  /** The inetrc file for ERL_INETRC. */
  readonly inetrc: string;
}

export interface PingResult {
  readonly node: string;
  readonly pong: boolean;
  readonly rttMs: number | null;
  readonly error: ErrorStatus | null;
}

/** Where a command shall run, and what. The command may hold secrets: never logged. */
export interface ExecParams {
  /** Of several dynos web.1, or the first that is up. */
  readonly way: Way;
  readonly via?: string;
  readonly request: ExecRequest;
}

/** Method → [params, result]. The daemon's handler map is proven complete against it. */
export interface ControlMethods {
  /** `supervisor` as in the status; null: whoever asks may start one. */
  hello: [
    Record<string, never>,
    { readonly version: string; readonly pid: number; readonly supervisor?: number | null },
  ];
  /**
   * The supervisor's heartbeat: answered at once when what only the daemon's memory holds is not
   * what the digest `known` stands for, else when that changes or after `waitMs` (3 s unless told).
   * `memory` holds secrets; absent when it is known. Fails with DAEMON_BUSY in the foreground.
   */
  supervise: [
    { readonly known?: string; readonly waitMs?: number },
    { readonly digest: string; readonly memory?: string; readonly restarts: number },
  ];
  /** `ahead`: what the caller has asked Heroku while the daemon started. */
  up: [
    { readonly spec: TunnelSpec; readonly secrets: UpSecrets; readonly ahead?: HerokuAhead },
    { readonly alreadyUp: boolean; readonly tunnel: TunnelStatus; readonly leading: Leading },
  ];
  /** `none`: no tunnel, but a daemon without any ends. */
  down: [
    { readonly name?: string; readonly all?: boolean; readonly none?: boolean },
    { readonly downed: readonly string[] },
  ];
  status: [{ readonly name?: string }, DaemonStatus];
  leading: [{ readonly name?: string }, Leading];
  /** Where a tunnel leads, as it was given with `up`. */
  spec: [{ readonly name: string }, { readonly spec: TunnelSpec }];
  /**
   * NODE as on the command line, or nothing when there is only one; fails with NODE_NOT_FOUND,
   * NODE_AMBIGUOUS or NODE_UNREACHABLE.
   */
  resolve: [
    { readonly node?: string },
    { readonly node: NodeStatus; readonly tunnel: string; readonly leading: Leading },
  ];
  ping: [
    { readonly node?: string; readonly cookie?: string; readonly timeoutMs?: number },
    PingResult,
  ];
  /**
   * A process over the connection of a tunnel that leads there (exec/frames.ts says what its socket
   * speaks; it takes one connection, within 5 s). Fails with TUNNEL_NOT_FOUND when none does.
   */
  exec: [ExecParams, { readonly socket: string }];
}
export type ControlMethod = keyof ControlMethods;

export interface Progress {
  /** A line for a person: `connecting to …`, `agent answers (0.1.0)`. */
  readonly step: string;
  readonly done: boolean;
}
