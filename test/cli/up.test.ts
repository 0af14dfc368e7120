import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import type { ErrorStatus, LinkStatus, TunnelStatus } from '../../src/daemon/control/api.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { EPMUX } from '../support/dyno.ts';
import { within } from '../support/erlang.ts';
import { leaveOut } from '../support/left-out.ts';
import { inTerminal, type } from '../support/terminal.ts';
import { cliHome, daemon, document, leading, processesOf, prod } from './commands-support.ts';

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';

describe('the commands', function () {
  this.timeout(30_000);
  const cli = cliHome();

  const link: LinkStatus = {
    dyno: null,
    mode: 'direct',
    agent: null,
    whyDirect: null,
    state: 'up',
    rttMs: null,
    bytesIn: 0,
    bytesOut: 0,
    streams: 0,
    resumes: 0,
    outageMs: 0,
    incarnation: null,
  };

  describe('up', () => {
    const result = { alreadyUp: false, tunnel: prod, leading };

    it('sends what was meant, shows the steps as talk and prints the nodes', async () => {
      let asked: unknown;
      await cli.home.daemon({
        up: (params, call) => {
          asked = params;
          call.progress('connecting to localhost:9001');
          call.progress('the agent answers', true);
          return result;
        },
      });
      const env = { EPMUX_SECRET: 'a secret of sixteen', EPMUX_COOKIE: 'monster' };
      const run = await cli.home.run(['up', 'prod', '--connect', 'localhost:9001'], { env });
      assert.equal(run.code, 0, run.stderr);
      assert.equal(run.stdout, 'node  app@dyno  127.0.0.2:4712\n');
      assert.equal(
        run.stderr,
        '- reaching the daemon\n- connecting to localhost:9001\n- the agent answers\n',
      );
      assert.deepEqual(asked, {
        spec: {
          name: 'prod',
          way: { kind: 'connect', host: 'localhost', port: 9001 },
          agent: 'auto',
          agentPort: 9001,
          hiddenOnly: false,
        },
        secrets: { secret: 'a secret of sixteen', cookie: 'monster' },
      });
    });

    it('says when it was up already, and prints JSON', async () => {
      await cli.home.daemon({ up: () => ({ ...result, alreadyUp: true }) });
      const run = await cli.home.run(['up', '--connect', 'h:1', '--json']);
      assert.match(run.stderr, /prod is up already\n$/);
      assert.deepEqual(document(run), { alreadyUp: true, tunnel: prod });
    });

    it('takes the name of a tunnel that is up, whatever brought it up', async () => {
      const spec = {
        name: 'prod',
        way: { kind: 'connect', host: 'h', port: 1 },
        agent: 'auto',
        agentPort: 9001,
        hiddenOnly: false,
      } as const;
      let asked: unknown;
      await cli.home.daemon({
        spec: ({ name }) => {
          if (name === 'prod') return { spec };
          throw new EpmuxError('TUNNEL_NOT_FOUND', `there is no tunnel ${name}`);
        },
        up: (params) => {
          asked = params;
          return { ...result, alreadyUp: true };
        },
      });
      const named = await cli.home.run(['up', 'prod']);
      assert.equal(named.code, 0, named.stderr);
      assert.match(named.stderr, /prod is up already\n$/);
      assert.deepEqual(asked, { spec, secrets: {} });
      for (const words of [['prud'], ['prod', '--agent', 'none']]) {
        const unknown = await cli.home.run(['up', ...words]);
        assert.equal(unknown.code, 4);
        assert.match(unknown.stderr, /no tunnel pr.d is configured .*\(TUNNEL_NOT_FOUND\)/);
      }
    });

    it('brings back what was up when the daemon ended, by its name or as the only one', async () => {
      const way = { kind: 'connect', host: 'h', port: 1 };
      const spec = { name: 's', way, agent: 'auto', agentPort: 9001, hiddenOnly: false };
      const write = (...tunnels: readonly unknown[]) =>
        cli.home.write('state/state.json', JSON.stringify({ schema: '1', tunnels }));
      const asked: unknown[] = [];
      await cli.home.daemon({
        spec: ({ name }) => {
          throw new EpmuxError('TUNNEL_NOT_FOUND', `there is no tunnel ${name}`);
        },
        status: () => ({ daemon, tunnels: [] }),
        up: (params) => {
          asked.push(params.spec);
          return result;
        },
      });
      await write(spec);
      for (const words of [['up'], ['up', 's']]) {
        const run = await cli.home.run(words);
        assert.equal(run.code, 0, run.stderr);
      }
      assert.deepEqual(asked, [spec, spec]);
      await write(spec, { ...spec, name: 't' });
      const several = await cli.home.run(['up']);
      assert.equal(several.code, 2);
      assert.match(several.stderr, /several tunnels were up and none is named: s, t \(USAGE\)/);
      assert.equal((await cli.home.run(['up', 't'])).code, 0);
      const wrong = await cli.home.run(['up', '--json=true']);
      assert.equal((document(wrong) as { error: { code: string } }).error.code, 'USAGE');
    });

    it('tells a dyno without epmd from one without a node, and leaves the tunnel', async () => {
      const lastError = { code: 'NO_EPMD', message: 'x', at: '' } as const;
      const forbidden = {
        code: 'CONNECT_FAILED',
        message: 'the SSH server forbids forwarding to port 4369',
        hint: 'its sshd_config needs AllowTcpForwarding',
        at: '',
      } as const;
      const linked = (...errors: readonly (ErrorStatus | undefined)[]): TunnelStatus => ({
        ...prod,
        nodes: [],
        lastError,
        links: errors.map((epmdError) => ({ ...link, ...(epmdError && { epmdError }) })),
      });
      const tunnels = [
        linked(lastError),
        // It was so once, or is so in one dyno of two.
        linked(undefined),
        linked(lastError, undefined),
        linked(forbidden),
        { ...linked(), links: [{ ...link, portless: 'app@x: no descriptor is left' }] },
      ];
      await cli.home.daemon({ up: () => ({ ...result, tunnel: tunnels.shift() ?? prod }) });
      const noEpmd = await cli.home.run(['up', '--connect', 'h:1']);
      assert.equal(noEpmd.code, 3);
      assert.match(noEpmd.stderr, /prod is up and stays up, but no epmd answers there \(NO_EPMD\)/);
      for (let more = 0; more < 2; more += 1) {
        const noNode = await cli.home.run(['up', '--connect', 'h:1']);
        assert.equal(noNode.code, 3);
        assert.match(noNode.stderr, /stays up, but no node is registered .*\(NODE_UNREACHABLE\)/);
      }
      const untold = await cli.home.run(['up', '--connect', 'h:1']);
      assert.equal(untold.code, 3);
      assert.match(
        untold.stderr,
        /not known: the SSH server forbids .*\(CONNECT_FAILED\)\nhint: .*AllowTcpForwarding/,
      );
      const portless = await cli.home.run(['up', '--connect', 'h:1']);
      assert.match(
        portless.stderr,
        /no local port for app@x: no descriptor .*\(NODE_UNREACHABLE\)/,
      );
    });

    it('warns of each link that is not up, with what to do', async () => {
      const lastError = {
        code: 'HEROKU_FORBIDDEN',
        message: 'web.2: it may not',
        hint: 'ask for the right',
        at: '',
      } as const;
      const links = [
        { ...link, dyno: 'web.1' },
        { ...link, dyno: 'web.2', state: 'failed', lastError } as const,
        { ...link, dyno: 'web.3', state: 'down' } as const,
      ];
      await cli.home.daemon({ up: () => ({ ...result, tunnel: { ...prod, links } }) });
      const run = await cli.home.run(['up', '--connect', 'h:1']);
      assert.equal(run.code, 0);
      assert.equal(run.stdout, 'node  app@dyno  127.0.0.2:4712\n');
      assert.match(
        run.stderr,
        /\nwarning: web\.2 is failed: web\.2: it may not \(HEROKU_FORBIDDEN\)\nhint: ask for the right\nwarning: web\.3 is down\n$/,
      );
    });

    it('marks the step that failed, and no other', async () => {
      const steps: string[] = [];
      await cli.home.daemon({
        up: (_params, call) => {
          for (const step of steps) call.progress(step);
          throw new EpmuxError('TUNNEL_EXISTS', 'the tunnel h leads elsewhere already');
        },
      });
      const inOne = async (): Promise<string> => {
        const env = { ...cli.home.env, TERM: 'xterm' };
        const terminal = inTerminal([...EPMUX, 'up', '--ssh', 'h'], { cwd: cli.home.folder, env });
        terminal.onOutput(() => undefined);
        return (await terminal.ended).said;
      };
      const refused = await inOne();
      assert.match(refused, /✔.* reaching the daemon\r?\n[^✖]*TUNNEL_EXISTS/);
      assert.doesNotMatch(refused, /✖/);
      steps.push('connecting to h', 'asking the epmd there');
      const later = await inOne();
      assert.match(later, /✔.* connecting to h\r?\n[^✔]*✖.* asking the epmd there/);
    });

    it('ticks a step off once, when it is done, and not for each try of it', async () => {
      const tries = ['web.1: connecting', 'web.2: connecting', 'web.1: connecting'];
      const steps = ['asking Heroku', ...tries, 'web.1: pushing', 'web.2: connecting', 'waiting'];
      const links = [
        { ...link, dyno: 'web.1' },
        { ...link, dyno: 'web.2', state: 'failed' } as const,
      ];
      await cli.home.daemon({
        up: (_params, call) => {
          for (const step of steps) call.progress(step);
          return { ...result, tunnel: { ...prod, links } };
        },
      });
      const plain = await cli.home.run(['up', '--ssh', 'h']);
      const said = ['reaching the daemon', ...steps].filter(
        (step, at, all) => all.indexOf(step) === at,
      );
      assert.equal(
        plain.stderr,
        `${said.map((step) => `- ${step}\n`).join('')}warning: web.2 is failed\n`,
      );
      const env = { ...cli.home.env, TERM: 'xterm' };
      const terminal = inTerminal([...EPMUX, 'up', '--ssh', 'h'], { cwd: cli.home.folder, env });
      terminal.onOutput(() => undefined);
      const shown = stripVTControlCharacters((await terminal.ended).said);
      assert.deepEqual(shown.match(/[✔✖] [^\r\n]*/g), [
        '✔ reaching the daemon',
        '✔ asking Heroku',
        '✔ web.1: connecting',
        '✖ web.2: connecting',
        '✔ web.1: pushing',
        '✔ waiting',
      ]);
    });

    it('goes on when nobody reads its steps any more', async () => {
      let child: ChildProcess | undefined;
      await cli.home.daemon({
        up: async (_params, call) => {
          child?.stderr?.destroy();
          for (let n = 0; n < 20; n += 1) {
            call.progress(`step ${n}`);
            await delay(10);
          }
          throw new EpmuxError('CONNECT_FAILED', 'nothing listens there');
        },
      });
      child = cli.home.start(['up', '--connect', 'h:1']);
      assert.deepEqual(await within(once(child, 'exit'), () => 'epmux stays'), [3, null]);
    });

    it('leaves the terminal clean when it is interrupted', async () => {
      await cli.home.daemon({
        up: (_params, call) => {
          call.progress('looking for the agent');
          return new Promise<never>(() => undefined);
        },
      });
      const env = { ...cli.home.env, TERM: 'xterm' };
      const terminal = inTerminal([...EPMUX, 'up', '--ssh', 'h'], { cwd: cli.home.folder, env });
      type(terminal, [{ after: /looking for the agent/, text: '\u0003' }]);
      const { code, said } = await terminal.ended;
      assert.equal(code, 130);
      assert.match(said, /✖.* looking for the agent\r?\n$/);
      assert.ok(said.lastIndexOf(SHOW_CURSOR) > said.lastIndexOf(HIDE_CURSOR), said);
    });

    it('refuses a --via that can not be read, and leaves no daemon behind', async function () {
      if (!existsSync('/proc/self/environ')) leaveOut(this, 'there is no /proc');
      const run = await cli.home.run(['up', '--connect', 'h:1', '--via', 'me:s3cret@proxy']);
      assert.equal(run.code, 2);
      assert.match(run.stderr, /^epmux: --via takes socks5:.* \(USAGE\)\nhint: .*--via socks5:/);
      assert.doesNotMatch(run.stderr, /s3cret/);
      // One that nobody has given up would stay for 30 s.
      const limit = AbortSignal.timeout(15_000);
      while (processesOf(cli.home.folder).length > 0) await delay(50, undefined, { signal: limit });
    });

    describe('at a host whose key nobody knows', () => {
      const fingerprint = `SHA256:${'A'.repeat(43)}`;
      const given: unknown[] = [];

      beforeEach(async () => {
        given.length = 0;
        await cli.home.daemon({
          up: ({ secrets }) => {
            given.push(secrets.acceptHostKey);
            if (secrets.acceptHostKey === fingerprint) return result;
            throw new EpmuxError('HOST_KEY_UNKNOWN', `h has the new key ${fingerprint}`, {
              details: { host: 'h', keyType: 'ssh-ed25519', fingerprint },
            });
          },
        });
      });

      async function answering(answer: string): Promise<{ code: number; said: string }> {
        const command = [...EPMUX, 'up', '--ssh', 'h'].map((word) => `'${word}'`).join(' ');
        const env = { ...cli.home.env, TERM: 'xterm' };
        const child = spawn('script', ['-qec', command, '/dev/null'], {
          cwd: cli.home.folder,
          env,
        });
        let said = '';
        child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
          const asked = said.includes('[y/N]');
          said += chunk;
          if (!asked && said.includes('[y/N]')) child.stdin.write(answer);
        });
        const [code] = await within(once(child, 'close'), () => said);
        return { code, said };
      }

      it('fails with 5 where nobody can be asked', async () => {
        const run = await cli.home.run(['up', '--ssh', 'h']);
        assert.equal(run.code, 5);
        assert.match(run.stderr, /\(HOST_KEY_UNKNOWN\)\nhint: /);
        assert.deepEqual(given, [undefined]);
      });

      it('shows the fingerprint on a terminal, asks, and goes on after a yes', async () => {
        const { code, said } = await answering('y\n');
        assert.equal(code, 0, said);
        assert.ok(said.includes(fingerprint));
        assert.deepEqual(given, [undefined, fingerprint]);
      });

      it('fails after anything but a yes, and after Ctrl-C', async () => {
        assert.equal((await answering('\n')).code, 5);
        assert.equal((await answering('\u0003')).code, 130);
        assert.deepEqual(given, [undefined, undefined]);
      });
    });
  });
});
