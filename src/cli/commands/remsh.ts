import { defineCommand, NODE_FORMS } from '../command.ts';
import { runInTerminal } from '../erlang/child.ts';
import { guestEnvironment } from '../erlang/environment.ts';
import { Failure, scriptFailure } from '../erlang/failure.ts';
import type { Host } from '../erlang/guest.ts';
import { resolveHost } from '../erlang/guest.ts';
import { inputFor, type ShellWish, shellCommand } from '../erlang/remsh.ts';
import type { Io } from '../io.ts';

export const remsh = defineCommand({
  name: 'remsh',
  about:
    "A remote shell: the node's own IEx, or Erlang's shell where it has none. Exits with the shell's code.",
  positional: {
    name: 'NODE',
    describe: NODE_FORMS,
    complete: 'node',
  },
  options: {
    erl: { type: 'boolean', describe: "Erlang's shell, whatever the node has" },
  },
  rest: 'ARGS',
  examples: [
    ['remsh', 'in the only node'],
    ['remsh my_app -- --dot-iex prod.exs', "with a dot-iex file of the node's machine"],
  ],
  async run({ options, positional, rest }, io): Promise<number> {
    const host = await resolveHost(positional, io);
    const shell = options.erl === true ? 'erl' : 'iex';
    const input = inputFor(io.onTerminal, io.env);
    const wish = { shell, args: rest, folder: io.cwd } as const;
    let code = await open(host, { ...wish, input }, io);
    if (code === Failure.unknownTerminal) {
      io.talk('this Erlang does not know the terminal (TERM): lines can not be edited');
      code = await open(host, { ...wish, input: 'plain' }, io);
    }
    const failure = await scriptFailure(code, host, io);
    if (failure !== undefined) throw failure;
    return code;
  },
});

function open(host: Host, wish: ShellWish, io: Io): Promise<number> {
  const { program, args, env } = shellCommand(host.node.name, wish, io.env);
  return runInTerminal(program, args, { ...guestEnvironment(io.env, host.leading), ...env }, io);
}
