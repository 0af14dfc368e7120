import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { findProgram } from '../../../src/cli/erlang/programs.ts';
import { AgentBundle } from '../../../src/daemon/links/agent-bundle.ts';
import { pushAgent } from '../../../src/daemon/links/push.ts';
import { PUSH_REQUEST } from '../../../src/daemon/links/push-script.ts';
import type { EpmuxError } from '../../../src/protocol/errors.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { agentBundle } from '../../support/agent-process.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { PushHost, type PushHostOptions } from '../../support/push-host.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const never = new AbortController().signal;

/** A line of sshd_config: whatever is to run, this is said to have gone well, by such a Node. */
function liar(version: string): string {
  const lines = ['begin', `ready ${version}`, 'port 9', 'started'];
  const says = lines.map((line) => `echo "epmux-push ${line}"`);
  return `ForceCommand ${says.join('; ')}; /bin/cat > /dev/null`;
}

describe('the command that begins a push', () => {
  const home = tempFolder();
  for (const shell of ['sh', 'bash', 'zsh', 'fish']) {
    const missing = findProgram(shell, process.env) === undefined;
    it(`is understood by ${shell}${missing ? ' (left out: it is not on this machine)' : ''}`, function () {
      if (missing) this.skip();
      const env = { PATH: process.env['PATH'], HOME: home.path };
      const run = spawnSync(shell, ['-c', PUSH_REQUEST.command ?? ''], {
        input: '{',
        encoding: 'utf8',
        env,
      });
      assert.equal(run.stderr, '');
      assert.equal(
        run.stdout,
        [
          'begin',
          `ready ${process.version}`,
          `port ${/\d+(?=\n.*\n$)/.exec(run.stdout)?.[0]}`,
          'failed the upload was cut short',
        ]
          .map((answer) => `epmux-push ${answer}\n`)
          .join(''),
      );
    });
  }
});

describe('pushing an agent to a host that can’t take it', function () {
  this.timeout(30_000);
  const why = async (options: PushHostOptions, silentMs = 0): Promise<EpmuxError> => {
    const host = await PushHost.start(options);
    const carrier = await host.connect();
    const bundle = new AgentBundle(await agentBundle());
    const clock = silentMs > 0 ? new ManualClock() : systemClock;
    try {
      const pushed = pushAgent(
        carrier,
        { epmdPort: 1, clock, logger: silentLogger, bundle },
        never,
      );
      pushed.catch(() => undefined);
      if (clock instanceof ManualClock) {
        while (clock.waiting === 0) await delay(10);
        clock.advance(silentMs);
      }
      return await pushed.then(
        () => assert.fail('it was taken'),
        (error: EpmuxError) => error,
      );
    } finally {
      carrier.close();
      await host.deserted();
      await host.stop();
    }
  };

  for (const [what, options, message] of [
    ['it has no Node', { node: 'none' }, /no Node\.js was found there, and 20 or newer is needed/],
    ['its Node is too old', { node: 'v18.20.4' }, /Node\.js is v18\.20\.4 there, and 20 or newer/],
    ['its Node is no Node', { node: 'vintage' }, /no Node\.js was found/],
    ['its Node says no version', { config: [liar('')] }, /something else/],
    [
      'its Node says far too much',
      { config: [liar('v20.19.0$(printf %0300d 0)')] },
      /something else/,
    ],
    ['it runs another command', { config: ['ForceCommand /bin/echo hello'] }, /ran nothing/],
    ['it runs no command', { config: ['MaxSessions 0'] }, /refused/],
  ] as const) {
    it(`says that ${what}`, async () => {
      const error = await why(options);
      assert.equal(error.code, 'AGENT_MISSING');
      assert.match(error.message, message);
    });
  }

  it('does not wait for long for what says nothing', async () => {
    const error = await why({ config: ['ForceCommand /bin/cat'] }, 8_000);
    assert.equal(error.code, 'AGENT_MISSING');
    assert.match(error.message, /said nothing for 8 s/);
  });
});
