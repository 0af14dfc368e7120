import type { ExitCode } from '../../protocol/errors.ts';
import { defineCommand } from '../command.ts';

export const demo = defineCommand({
  name: 'demo',
  summary:
    'All of it against an embedded dyno on this machine: nothing to configure, no account, over in half a minute.',
  options: {
    keep: { type: 'boolean', describe: 'leave it running, to try `epmux remsh` on' },
  },
  examples: [
    ['demo', 'a tunnel, a pong, a cut in the middle of a call, the link alive afterwards'],
    ['demo --keep', 'until Ctrl-C'],
  ],
  async run({ options }): Promise<ExitCode> {
    const { runDemo } = await import('../../demo/main.ts');
    return runDemo({ keep: options.keep === true });
  },
});
