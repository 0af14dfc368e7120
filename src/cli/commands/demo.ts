import { defineCommand, JSON_OPTION } from '../command.ts';

export const demo = defineCommand({
  name: 'demo',
  summary:
    'All of it against an embedded dyno on this machine: nothing to configure, no account, over in half a minute.',
  options: {
    keep: { type: 'boolean', describe: 'leave it running, to try `epmux remsh` on' },
    json: JSON_OPTION,
  },
  examples: [
    ['demo', 'a tunnel, a pong, a cut in the middle of a call, the link alive afterwards'],
    ['demo --keep', 'until Ctrl-C'],
  ],
  async run({ options }, io): Promise<number> {
    const { runDemo } = await import('../../demo/main.ts');
    // The demo catches the signals itself: it has a dyno and a daemon to end.
    const release = io.holdInterrupts();
    try {
      return await runDemo({ keep: options.keep === true, json: options.json === true, io });
    } finally {
      release();
    }
  },
});
