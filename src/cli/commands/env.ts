import { basename } from 'node:path';
import { Exit, type ExitCode } from '../../protocol/errors.ts';
import { jsonText } from '../../protocol/text.ts';
import type { Environment } from '../../runtime/environment.ts';
import { shellQuoted } from '../../runtime/programs.ts';
import { defineCommand, JSON_OPTION } from '../command.ts';
import { withDaemon } from '../daemon.ts';
import { leadingVariables } from '../erlang/environment.ts';

const SHELLS = ['sh', 'fish', 'powershell'] as const;
type Shell = (typeof SHELLS)[number];

export const env = defineCommand({
  name: 'env',
  about: 'The exports that make any iex, erl, mix and Livebook of this shell reach the nodes.',
  positional: { name: 'NAME', describe: 'the tunnel that has to be there', complete: 'tunnel' },
  options: {
    shell: {
      type: 'string',
      requiresArg: true,
      describe: 'sh, fish or powershell (default: by $SHELL)',
      values: SHELLS,
    },
    json: JSON_OPTION,
  },
  examples: [
    ['env', 'prints them: eval "$(epmux env)" takes them into this shell'],
    ['env --shell fish', 'for epmux env --shell fish | source'],
  ],
  async run({ options, positional }, io): Promise<ExitCode> {
    const leading = await withDaemon(io, (daemon) =>
      daemon.call('leading', positional === undefined ? {} : { name: positional }, {
        signal: io.interrupted,
      }),
    );
    const variables = leadingVariables(leading);
    if (options.json === true) {
      io.out(jsonText({ env: variables }));
      return Exit.done;
    }
    const shell = SHELLS.find((known) => known === options.shell) ?? ownShell(io.env);
    for (const line of exportLines(variables, shell)) io.out(line);
    if (io.outIsTerminal) io.talk(`# to take them into this shell: ${EVAL[shell]}`);
    return Exit.done;
  },
});

const EVAL: Readonly<Record<Shell, string>> = {
  sh: 'eval "$(epmux env)"',
  fish: 'epmux env | source',
  powershell: 'epmux env --shell powershell | Out-String | Invoke-Expression',
};

function ownShell(environment: Environment): Shell {
  return basename(environment['SHELL'] ?? '') === 'fish' ? 'fish' : 'sh';
}

export function exportLines(variables: Readonly<Record<string, string>>, shell: Shell): string[] {
  return Object.entries(variables).map(([name, value]) => EXPORT[shell](name, value));
}

const EXPORT: Readonly<Record<Shell, (name: string, value: string) => string>> = {
  sh: (name, value) => `export ${name}=${shellQuoted(value)}`,
  fish: (name, value) => `set -gx ${name} '${value.replace(/[\\']/g, '\\$&')}'`,
  powershell: (name, value) => `$env:${name} = '${value.replaceAll("'", "''")}'`,
};
