import { AGENT_PORT, EPMD_PORT } from '../../runtime/address.ts';
import type { OptionSpec } from '../command.ts';

/**
 * The options that say where a tunnel leads and how; the configuration file knows the same keys.
 */
export const WAY_OPTIONS = {
  app: {
    type: 'string',
    alias: 'a',
    requiresArg: true,
    describe: 'a Heroku app, through Heroku Exec',
  },
  remote: {
    type: 'string',
    alias: 'r',
    requiresArg: true,
    describe: 'the git remote of a Heroku app (default heroku)',
  },
  dyno: {
    type: 'string',
    alias: 'd',
    array: true,
    requiresArg: true,
    describe:
      'a dyno (web.1) or a process type (web); may stand several times (default: every running dyno)',
  },
  ssh: {
    type: 'string',
    requiresArg: true,
    describe: 'an SSH server: [user@]host[:port]',
  },
  identity: {
    type: 'string',
    requiresArg: true,
    describe: 'the private key for --ssh',
    complete: 'file',
  },
  connect: {
    type: 'string',
    requiresArg: true,
    describe: 'a port that something else forwards: host:port',
  },
  command: {
    type: 'string',
    requiresArg: true,
    describe: "a command whose stdin and stdout reach an agent: 'CMD …'",
  },
  agent: {
    type: 'string',
    requiresArg: true,
    describe: 'auto, require or none (default auto)',
    values: ['auto', 'require', 'none'],
  },
  'agent-port': {
    type: 'string',
    requiresArg: true,
    describe: `the agent's port behind --ssh or in a dyno (default ${AGENT_PORT})`,
  },
  via: {
    type: 'string',
    requiresArg: true,
    describe: 'a SOCKS proxy in between: socks5://[user:pass@]host:port',
  },
  'epmd-port': {
    type: 'string',
    requiresArg: true,
    describe: `the port of the dyno's epmd, without an agent of its own (default ${EPMD_PORT})`,
  },
  'secret-file': {
    type: 'string',
    requiresArg: true,
    describe: 'holds the secret shared with the agent; also EPMUX_SECRET',
    complete: 'file',
  },
  'cookie-file': {
    type: 'string',
    requiresArg: true,
    describe: 'holds the production cookie; also EPMUX_COOKIE',
    complete: 'file',
  },
  'hidden-only': {
    type: 'boolean',
    describe: 'refuse visible local nodes rather than hide them',
  },
} as const satisfies Record<string, OptionSpec>;

/**
 * What the command line or one `[tunnels.NAME]` says, by the same keys. Values are not looked at
 * yet.
 */
export interface WayInput {
  readonly ssh?: string | undefined;
  readonly identity?: string | undefined;
  readonly connect?: string | undefined;
  readonly command?: string | undefined;
  readonly agent?: string | undefined;
  readonly 'agent-port'?: string | number | undefined;
  readonly 'epmd-port'?: string | number | undefined;
  readonly 'secret-file'?: string | undefined;
  readonly 'cookie-file'?: string | undefined;
  readonly 'hidden-only'?: boolean | undefined;
  readonly app?: string | undefined;
  readonly remote?: string | undefined;
  readonly dyno?: string | readonly string[] | undefined;
  readonly via?: string | undefined;
}
