import type { CommandModule } from '../command.ts';

/**
 * A subcommand as the program's own help and completion know it; the rest is loaded when it is
 * called for.
 */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<CommandModule>;
}

/**
 * The agent parses and documents its own options, so that the dyno's side starts without anything
 * of the laptop's.
 */
export const AGENT = {
  name: 'agent',
  summary: "the dyno's side of a tunnel",
  help: async () => (await import('../../agent/help.ts')).AGENT_HELP,
} as const;

/** All that help and completion list, in their order. */
export const LISTED: readonly (CommandEntry | typeof AGENT)[] = [
  {
    name: 'up',
    summary: 'bring a tunnel up and show its nodes',
    load: async () => (await import('./up.ts')).up,
  },
  {
    name: 'down',
    summary: 'take a tunnel down',
    load: async () => (await import('./down.ts')).down,
  },
  {
    name: 'status',
    summary: 'tunnels, their state, links and nodes',
    load: async () => (await import('./status.ts')).status,
  },
  {
    name: 'nodes',
    summary: 'every reachable node, one a line',
    load: async () => (await import('./nodes.ts')).nodes,
  },
  {
    name: 'env',
    summary: "exports that lead this shell's iex, erl, mix and Livebook to the nodes",
    load: async () => (await import('./env.ts')).env,
  },
  {
    name: 'remsh',
    summary: 'a remote shell in a node',
    load: async () => (await import('./remsh.ts')).remsh,
  },
  {
    name: 'observer',
    summary: "Observer on a node, from this machine's Erlang",
    load: async () => (await import('./observer.ts')).observer,
  },
  {
    name: 'ping',
    summary: 'pong or pang, by a real distribution handshake',
    load: async () => (await import('./ping.ts')).ping,
  },
  {
    name: 'exec',
    summary: 'a command or a login shell in a dyno',
    load: async () => (await import('./exec.ts')).exec,
  },
  {
    name: 'doctor',
    summary: 'check the whole way, link by link',
    load: async () => (await import('./doctor.ts')).doctor,
  },
  {
    name: 'logs',
    summary: "the daemon's log",
    load: async () => (await import('./logs.ts')).logs,
  },
  {
    name: 'service',
    summary: 'the daemon as a systemd unit or a launchd agent',
    load: async () => (await import('./service.ts')).service,
  },
  AGENT,
  {
    name: 'demo',
    summary: 'all of it against a Heroku app of three dynos on this machine',
    load: async () => (await import('./demo.ts')).demo,
  },
  {
    name: 'completion',
    summary: 'completion for bash, zsh or fish',
    load: async () => (await import('./completion.ts')).completion,
  },
];

/** Those that run here. */
export const COMMANDS: readonly CommandEntry[] = LISTED.filter((entry) => 'load' in entry);
