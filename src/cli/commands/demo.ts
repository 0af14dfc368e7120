import { defineCommand, JSON_OPTION } from '../command.ts';

export const demo = defineCommand({
  name: 'demo',
  about:
    'All of it against a Heroku app of three dynos on this machine: nothing to configure, no account, over in half a minute.',
  options: {
    keep: { type: 'boolean', describe: 'leave it running, to try `epmux remsh` on' },
    json: JSON_OPTION,
  },
  examples: [
    ['demo', 'a tunnel to all dynos, a cut in the middle of a call, a restarted dyno'],
    ['demo --keep', 'until Ctrl-C'],
  ],
  async run({ options }, io): Promise<number> {
    const { runDemo } = await import('../../demo/main.ts');
    // The demo catches the signals itself: it has dynos and a daemon to end.
    const release = io.holdInterrupts();
    try {
      return await runDemo({ keep: options.keep === true, json: options.json === true, io });
    } finally {
      release();
    }
  },
});
