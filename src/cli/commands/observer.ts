import { defineCommand, NODE_FORMS } from '../command.ts';
import { runInTerminal } from '../erlang/child.ts';
import { guestEnvironment } from '../erlang/environment.ts';
import { scriptFailure } from '../erlang/failure.ts';
import { resolveHost } from '../erlang/guest.ts';
import { observerArguments } from '../erlang/observer.ts';
import { requireProgram } from '../erlang/programs.ts';

export const observer = defineCommand({
  name: 'observer',
  about: "Observer on a node, from this machine's Erlang. Ends with its window.",
  positional: {
    name: 'NODE',
    describe: NODE_FORMS,
    complete: 'node',
  },
  options: {},
  examples: [['observer my_app', 'its processes, tables and load']],
  async run({ positional }, io): Promise<number> {
    const host = await resolveHost(positional, io);
    const erl = requireProgram('erl', io.env);
    const { name } = host.node;
    const environment = guestEnvironment(io.env, host.leading);
    const code = await runInTerminal(erl, observerArguments(name), environment, io);
    const failure = await scriptFailure(code, host, io);
    if (failure !== undefined) throw failure;
    return code;
  },
});
