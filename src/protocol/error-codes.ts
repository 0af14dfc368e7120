/**
 * The closed set of error codes. Each stands in docs/errors.md with its meaning, its exit code and
 * the next step (a test holds the two together).
 */

export const Exit = {
  done: 0,
  failed: 1,
  usage: 2,
  notConnected: 3,
  notFound: 4,
  notAllowed: 5,
  interrupted: 130,
} as const;
export type ExitCode = (typeof Exit)[keyof typeof Exit];

interface CodeEntry {
  readonly exit: ExitCode;
  /** The next step for a person, used when the place that fails knows no better one. */
  readonly hint: string;
}

export const ERROR_CODES = {
  INTERNAL: {
    exit: Exit.failed,
    hint: 'this is a bug in epmux: please report it with `epmux logs`',
  },
  USAGE: { exit: Exit.usage, hint: 'see `epmux --help`' },
  CONFIG_INVALID: {
    exit: Exit.usage,
    hint: 'correct the file, or name another way on the command line',
  },
  INTERRUPTED: { exit: Exit.interrupted, hint: 'run the command again when you like' },
  TIMEOUT: {
    exit: Exit.failed,
    hint: 'try again; of a tunnel `epmux logs` shows what was waited for',
  },

  // protocol and session
  PROTOCOL: {
    exit: Exit.failed,
    hint: 'check that nothing between the ends rewrites bytes; report it when both ends are epmux',
  },
  NOT_AN_AGENT: { exit: Exit.failed, hint: 'check that the port leads to `epmux agent`' },
  VERSION_MISMATCH: {
    exit: Exit.failed,
    hint: 'install the same major version of epmux at both ends',
  },
  UNSUPPORTED: {
    exit: Exit.failed,
    hint: 'the other end is newer and requires what this one does not know: install its version here',
  },
  SECRET_REFUSED: {
    exit: Exit.notAllowed,
    hint: 'give this end the secret that the agent was started with (EPMUX_SECRET or --secret-file)',
  },
  SECRET_MISSING: { exit: Exit.usage, hint: 'set EPMUX_SECRET or pass --secret-file' },
  SESSION_LOST: {
    exit: Exit.notConnected,
    hint: 'connect again: the other end is new or gave the session up',
  },
  BUSY: {
    exit: Exit.failed,
    hint: 'a limit is reached there: close something, or raise the limit',
  },

  // ways to the dyno
  CONNECT_FAILED: {
    exit: Exit.notConnected,
    hint: 'check host and port, and that something listens there',
  },
  HOST_UNKNOWN: {
    exit: Exit.notFound,
    hint: 'check the spelling of the host name and your network',
  },
  PIPE_LOST: {
    exit: Exit.notConnected,
    hint: 'a tunnel reconnects by itself, `epmux status` shows how far it is; run a command of `exec` again',
  },
  SSH_AUTH_REFUSED: {
    exit: Exit.notAllowed,
    hint: 'check the user name, and load the key into ssh-agent or pass --identity FILE',
  },
  SSH_KEY_UNUSABLE: {
    exit: Exit.notAllowed,
    hint: 'pass a private key file; load one with a passphrase into ssh-agent',
  },
  HOST_KEY_UNKNOWN: {
    exit: Exit.notAllowed,
    hint: 'compare the fingerprint, then accept it when `epmux up` asks in a terminal',
  },
  HOST_KEY_MISMATCH: {
    exit: Exit.notAllowed,
    hint: 'the host shows another key than known_hosts has: find out why before you remove the old line',
  },
  EXEC_REFUSED: {
    exit: Exit.failed,
    hint: 'its sshd_config must let this user start commands (MaxSessions) and have a terminal (PermitTTY)',
  },
  COMMAND_FAILED: {
    exit: Exit.failed,
    hint: 'run the command by hand: its stdin and stdout have to reach `epmux agent --stdio`',
  },
  AGENT_MISSING: {
    exit: Exit.notConnected,
    hint: 'start `epmux agent` there',
  },

  // Heroku
  HEROKU_AUTH_MISSING: {
    exit: Exit.notAllowed,
    hint: 'run `heroku login`, or set HEROKU_API_KEY (`heroku auth:token` prints a key)',
  },
  HEROKU_AUTH_REFUSED: {
    exit: Exit.notAllowed,
    hint: 'run `heroku login` again, or set HEROKU_API_KEY; then `epmux up` again',
  },
  HEROKU_FORBIDDEN: {
    exit: Exit.notAllowed,
    hint: 'the key is known and may not do this: ask for the right to deploy the app, or use another key',
  },
  HEROKU_UNAVAILABLE: {
    exit: Exit.failed,
    hint: 'check the network and https://status.heroku.com, then try again',
  },
  HEROKU_RATE_LIMITED: {
    exit: Exit.failed,
    hint: 'this key has asked too often: wait, or find out what else uses it',
  },
  HEROKU_ANSWER_INVALID: {
    exit: Exit.failed,
    hint: 'something else than Heroku answers there, or it has changed: see `epmux logs`',
  },
  APP_NOT_FOUND: {
    exit: Exit.notFound,
    hint: 'check the name with `heroku apps`, and that this key may see the app',
  },
  DYNO_NOT_FOUND: { exit: Exit.notFound, hint: 'name a dyno (web.1) or a process type (web)' },
  DYNO_RESTARTED: {
    exit: Exit.notConnected,
    hint: 'epmux connects to the new dyno by itself as soon as it is up',
  },
  DYNO_NOT_RUNNING: { exit: Exit.notConnected, hint: '`heroku ps` shows the state of the dynos' },
  EXEC_DISABLED: {
    exit: Exit.usage,
    hint: '`epmux up -a APP --yes` enables it, and ALL dynos of the app restart',
  },
  EXEC_UNSUPPORTED: {
    exit: Exit.failed,
    hint: 'reach the node another way, such as `--connect`',
  },
  EXEC_NEEDS_BUILDPACK: {
    exit: Exit.failed,
    hint: 'add the buildpack heroku/exec, and deploy the app again',
  },

  // nodes
  NO_EPMD: {
    exit: Exit.notConnected,
    hint: 'no epmd runs there: is the app a distributed node (--sname or --name)?',
  },
  EPMD_PROTOCOL: {
    exit: Exit.failed,
    hint: 'what speaks there does not speak epmd: check the port (ERL_EPMD_PORT)',
  },
  NODE_NOT_FOUND: { exit: Exit.notFound, hint: '`epmux nodes` lists what can be reached' },
  NODE_AMBIGUOUS: {
    exit: Exit.notFound,
    hint: 'name one of them in full, or the dyno or tunnel in brackets; `web.1/my_app` is the node my_app there',
  },
  NODE_UNREACHABLE: {
    exit: Exit.notConnected,
    hint: 'the node is known and does not answer: see `epmux status`',
  },
  NODE_STALLED: {
    exit: Exit.notConnected,
    hint: 'connect again; ask the node for less at once, or give the agent a longer --stall',
  },
  COOKIE_REFUSED: {
    exit: Exit.notAllowed,
    hint: 'bring the tunnel up again with the production cookie: `epmux up … --cookie-file FILE`, or EPMUX_COOKIE',
  },
  HANDSHAKE_REFUSED: {
    exit: Exit.notConnected,
    hint: 'the node refused the connection for the reason given',
  },
  RUNTIME_TOOLS_MISSING: {
    exit: Exit.failed,
    hint: 'add :runtime_tools to extra_applications in its mix.exs, and deploy: Observer asks it there',
  },
  ERLANG_MISSING: {
    exit: Exit.failed,
    hint: 'install Erlang or Elixir on this machine, or put it on the PATH',
  },

  // daemon
  DAEMON_NOT_RUNNING: { exit: Exit.notConnected, hint: 'start it with `epmux up`' },
  DAEMON_START_FAILED: { exit: Exit.failed, hint: '`epmux logs` shows why' },
  DAEMON_BUSY: {
    exit: Exit.failed,
    hint: 'another daemon holds this state folder: end it with `epmux down --all` (a service: `epmux service uninstall`), or set EPMUX_HOME to another folder',
  },
  SERVICE_UNAVAILABLE: {
    exit: Exit.failed,
    hint: 'start it at login by other means; under a supervisor of your own run `epmux up NAME --foreground`',
  },
  SERVICE_FAILED: {
    exit: Exit.failed,
    hint: '`journalctl --user -u epmux` (systemd) or `epmux logs` shows why',
  },
  DAEMON_VERSION: {
    exit: Exit.failed,
    hint: '`kill` with that pid ends it in order, and the next `epmux up …` brings its tunnels back; of a service: `epmux service install`',
  },
  CONTROL_PROTOCOL: {
    exit: Exit.failed,
    hint: 'what answers on the control socket is not this version of epmux',
  },
  TUNNEL_NOT_FOUND: { exit: Exit.notFound, hint: '`epmux status` lists the tunnels' },
  TUNNEL_EXISTS: {
    exit: Exit.usage,
    hint: 'take the other one down first, or give this one a name of its own',
  },
  TUNNEL_DOWN: { exit: Exit.notConnected, hint: '`epmux status` shows the reason' },
  PORT_TAKEN: {
    exit: Exit.failed,
    hint: 'something else listens there: free it or choose another port',
  },
  PERMISSION_DENIED: { exit: Exit.failed, hint: 'check who may use the file, folder or port' },
  DISK_FULL: { exit: Exit.failed, hint: 'free some space' },
  STATE_UNREADABLE: {
    exit: Exit.failed,
    hint: 'the file was put aside; bring the tunnels up again',
  },

  // demo
  DEMO_FAILED: {
    exit: Exit.failed,
    hint: 'run it again; if it fails again, please report what it printed',
  },
} as const satisfies Record<string, CodeEntry>;

export type ErrorCode = keyof typeof ERROR_CODES;
