import { EpmuxError } from '../../protocol/errors.ts';
import { defineCommand } from '../command.ts';
import { runInTerminal } from '../erlang/child.ts';
import { guestEnvironment } from '../erlang/environment.ts';
import { scriptFailure } from '../erlang/failure.ts';
import { resolveHost } from '../erlang/guest.ts';
import { erlCommand, iexCommand, shellCommand } from '../erlang/remsh.ts';

export const remsh = defineCommand({
  name: 'remsh',
  summary:
    "A remote shell: the node's own IEx, or Erlang's shell where it has none. Exits with the shell's code.",
  positional: {
    name: 'NODE',
    describe: 'my_app@host, my_app, or nothing when there is only one node',
    complete: 'node',
  },
  options: {
    erl: { type: 'boolean', describe: "erl -remsh: Erlang's shell, whatever the node has" },
  },
  rest: 'ARGS',
  examples: [
    ['remsh', 'in the only node'],
    ['remsh my_app -- --dot-iex prod.exs', 'iex --remsh with options of its own'],
  ],
  async run({ options, positional, rest }, io): Promise<number> {
    const host = await resolveHost(positional, io);
    const { name } = host.node;
    const environment = guestEnvironment(io.env, host.leading);
    const plain =
      options.erl === true
        ? erlCommand(name, rest, io.env)
        : rest.length > 0
          ? iexCommand(name, rest, io.env)
          : undefined;
    if (plain !== undefined) return runInTerminal(plain.program, plain.args, environment, io);
    if (rest.length > 0) {
      throw new EpmuxError('ERLANG_MISSING', 'ARGS are for iex, which is not on the PATH');
    }
    if (!io.onTerminal) {
      throw new EpmuxError('USAGE', 'a remote shell needs a terminal', {
        hint: '`epmux env` leads a script of your own to the node',
      });
    }
    const { program, args, env } = shellCommand(name, io.env);
    const code = await runInTerminal(program, args, { ...environment, ...env }, io);
    const failure = await scriptFailure(code, name, io);
    if (failure !== undefined) throw failure;
    return code;
  },
});
