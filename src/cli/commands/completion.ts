import { basename } from 'node:path';
import { EpmuxError, Exit, type ExitCode } from '../../protocol/errors.ts';
import { defineCommand } from '../command.ts';
import { COMPLETION_SCRIPTS, COMPLETION_SHELLS } from '../completion/scripts.ts';

export const completion = defineCommand({
  name: 'completion',
  about: 'Prints a script that completes commands, options, tunnels and nodes.',
  positional: {
    name: 'SHELL',
    describe: 'bash, zsh or fish (default: by $SHELL)',
    values: COMPLETION_SHELLS,
  },
  options: {},
  examples: [
    ['completion bash', 'for ~/.bashrc: eval "$(epmux completion bash)"'],
    ['completion zsh', 'for ~/.zshrc, after compinit: source <(epmux completion zsh)'],
    ['completion fish', 'for config.fish: epmux completion fish | source'],
  ],
  async run({ positional }, io): Promise<ExitCode> {
    const wanted = positional ?? basename(io.env['SHELL'] ?? '');
    const shell = COMPLETION_SHELLS.find((known) => known === wanted);
    if (shell === undefined) {
      throw new EpmuxError('USAGE', 'it is not said for which shell', {
        hint: `name one of ${COMPLETION_SHELLS.join(', ')}`,
      });
    }
    io.out(COMPLETION_SCRIPTS[shell].trimEnd());
    return Exit.done;
  },
});
