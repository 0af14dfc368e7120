import { defineCommand } from '../command.ts';
import { runInTerminal } from '../erlang/child.ts';
import { guestEnvironment } from '../erlang/environment.ts';
import { resolveHost } from '../erlang/guest.ts';
import { remshCommand } from '../erlang/remsh.ts';

export const remsh = defineCommand({
  name: 'remsh',
  summary:
    "A remote shell in a node, from this machine's iex (or erl). Exits with the shell's code.",
  positional: {
    name: 'NODE',
    describe: 'my_app@host, my_app, or nothing when there is only one node',
    complete: 'node',
  },
  options: { erl: { type: 'boolean', describe: 'erl -remsh, also where there is an iex' } },
  rest: 'ARGS',
  examples: [
    ['remsh', 'in the only node'],
    ['remsh my_app -- --dot-iex prod.exs', 'more options for iex'],
  ],
  async run({ options, positional, rest }, io): Promise<number> {
    const host = await resolveHost(positional, io);
    const shell = remshCommand(host.node.name, rest, options.erl === true, io.env);
    return runInTerminal(shell.program, shell.args, guestEnvironment(io.env, host.leading), io);
  },
});
