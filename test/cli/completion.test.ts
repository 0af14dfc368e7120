import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Candidate, complete, splitLine } from '../../src/cli/completion/complete.ts';
import { COMPLETION_SCRIPTS, COMPLETION_SHELLS } from '../../src/cli/completion/scripts.ts';
import { findProgram } from '../../src/cli/erlang/programs.ts';
import type { DaemonStatus, NodeStatus } from '../../src/daemon/control/api.ts';
import { CliHome, outcome } from '../support/cli.ts';
import { EPMUX } from '../support/dyno.ts';
import { leaveOut } from '../support/left-out.ts';

const node = (name: string): NodeStatus => ({
  name,
  dyno: null,
  address: '127.0.0.2',
  port: 1,
  state: 'up',
});
const STATUS: DaemonStatus = {
  daemon: { pid: 1, version: '0.1.0', startedAt: '' },
  tunnels: [
    {
      name: 'localhost:9001',
      target: 'tcp://localhost:9001',
      state: 'up',
      since: '',
      reconnects: 0,
      lastError: null,
      links: [],
      nodes: [node('my_app@dyno-1'), node('my_app@dyno-2'), node('worker@dyno-1')],
    },
  ],
};

describe('completion', () => {
  let home: CliHome;
  before(async () => {
    home = await CliHome.make();
    await home.write('epmux.toml', '[tunnels.prod]\nconnect = "h:1"\n[tunnels.staging]\nssh = "h"');
    await home.daemon({ status: () => STATUS });
  });
  after(() => home.remove());

  const offered = async (...words: string[]) => {
    const found = await complete(words, { env: home.env, cwd: home.folder });
    return found === 'files' ? found : found.map(({ value }) => value);
  };

  const cases: [words: string[], offers: string[] | 'files'][] = [
    [['st'], ['status']],
    [['--v'], ['--version']],
    [['help', 'no'], ['nodes']],
    [['nonsense', ''], []],
    [
      ['up', ''],
      ['prod', 'staging'],
    ],
    [['up', 'prod', ''], []],
    [
      ['up', '--ssh', 'host', ''],
      ['prod', 'staging'],
    ],
    [
      ['up', '--agent', ''],
      ['auto', 'require', 'none'],
    ],
    [['up', '--agent=re'], ['--agent=require']],
    [['up', '--agent-p'], ['--agent-port']],
    [['up', '--json', '--js'], []],
    [['up', '--ap'], ['--app']],
    [['up', '--identity', ''], 'files'],
    [['up', '--identity=x'], 'files'],
    [['up', '--connect', ''], []],
    [['down', ''], ['localhost:9001']],
    [
      ['doctor', ''],
      ['prod', 'staging', 'localhost:9001'],
    ],
    [
      ['exec', '-d', 'web.1', ''],
      ['prod', 'staging', 'localhost:9001'],
    ],
    [['down', '--al'], ['--all']],
    [
      ['ping', 'my'],
      ['my_app@dyno-1', 'my_app@dyno-2'],
    ],
    [['ping', '-c', ''], []],
    [['remsh', 'w'], ['worker@dyno-1']],
    [['remsh', 'w', '--', ''], 'files'],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [
      ['agent', '--st'],
      ['--stdio', '--stall'],
    ],
    [['--log-level', 'd'], ['debug']],
    [['--log-level', 'debug', 'no'], ['nodes']],
  ];
  for (const [words, offers] of cases) {
    it(`of "${words.join(' ')}" offers ${offers === 'files' ? 'files' : offers.join(', ') || 'nothing'}`, async () => {
      assert.deepEqual(await offered(...words), offers);
    });
  }

  it('is silent without a daemon and with a broken configuration', async () => {
    const bare = await CliHome.make();
    await bare.write('epmux.toml', 'this is no TOML');
    const io = { env: bare.env, cwd: bare.folder };
    assert.deepEqual(await complete(['ping', ''], io), []);
    assert.deepEqual(await complete(['up', ''], io), []);
    assert.deepEqual(await complete(['doctor', ''], io), []);
    const running = (await complete(['doctor', ''], { ...io, env: home.env })) as Candidate[];
    assert.deepEqual(
      running.map(({ value }) => value),
      ['localhost:9001'],
    );
    await bare.remove();
  });

  it('reads a line as a shell does', () => {
    assert.deepEqual(splitLine('epmux up '), ['epmux', 'up', '']);
    assert.deepEqual(splitLine(`epmux  up 'a b' c\\ d "e`), ['epmux', 'up', 'a b', 'c d', 'e']);
  });

  it('is loaded as the page says, in bash by what bash 3.2 of macOS takes as well', async () => {
    const page = await readFile(new URL('../../docs/cli.md', import.meta.url), 'utf8');
    for (const shell of COMPLETION_SHELLS) {
      const [, form = ''] = / completion for \w+: {2}(.*)$/m.exec(COMPLETION_SCRIPTS[shell]) ?? [];
      assert.ok(page.includes(`\n${form.split(', or ')[0]} `), form);
      assert.equal(form.startsWith('eval'), shell === 'bash');
    }
  });

  describe('in a real shell', function () {
    this.timeout(30_000);

    /** Runs a script in which `epmux` is the source's own. */
    async function shell(name: string, script: string): Promise<string[]> {
      const command = EPMUX.map((word) => `'${word}'`).join(' ');
      await home.write('bin/epmux', `#!/bin/sh\nexec ${command} "$@"\n`);
      await chmod(join(home.folder, 'bin/epmux'), 0o755);
      const env = { ...home.env, PATH: `${home.folder}/bin:${home.env['PATH']}` };
      const child = spawn(name, ['-c', script], { cwd: home.folder, env, stdio: 'pipe' });
      const { stdout, stderr } = await outcome(child, script, '');
      assert.equal(stderr, '');
      return stdout.split('\n').filter((line) => line !== '');
    }

    /**
     * What bash offers for a line, as readline calls for it: the words split at COMP_WORDBREAKS are
     * of no interest to us.
     */
    const bash = (line: string) =>
      shell(
        'bash',
        `eval "$(epmux completion bash)"
        complete -p epmux >/dev/null || exit
        COMP_WORDBREAKS=$' \\t\\n"\\'@><=;|&(:'
        COMP_LINE='${line}' COMP_POINT=${line.length}
        _epmux epmux
        printf '%s\\n' "\${COMPREPLY[@]}"`,
      );

    it('bash completes commands, options and their values', async () => {
      assert.deepEqual(await bash('epmux sta'), ['status']);
      assert.deepEqual(await bash('epmux up --agent=re'), ['require']);
    });

    it('bash completes names that hold its own word breaks', async () => {
      assert.deepEqual(await bash('epmux ping my_app@dyno-'), ['dyno-1', 'dyno-2']);
      assert.deepEqual(await bash('epmux down localhost:9'), ['9001']);
    });

    it('bash completes files where a file belongs', async () => {
      assert.deepEqual(await bash('epmux up --identity epm'), ['epmux.toml']);
    });

    it('zsh completes commands and names', async function () {
      if (findProgram('zsh', process.env) === undefined) leaveOut(this, 'there is no zsh');
      const zsh = (...words: string[]) =>
        shell(
          'zsh',
          `_describe() { print -rl -- "\${(@P)4}" }; compdef() { : }
          eval "$(epmux completion zsh)"
          words=(epmux ${words.map((word) => `'${word}'`).join(' ')}) CURRENT=${words.length + 1}
          _epmux`,
        );
      assert.deepEqual(await zsh('sta'), ['status:tunnels, their state, links and nodes']);
      assert.deepEqual(await zsh('down', ''), ['localhost\\:9001:tcp://localhost:9001']);
    });

    it('fish completes commands and names', async function () {
      if (findProgram('fish', process.env) === undefined) leaveOut(this, 'there is no fish');
      const fish = (line: string) =>
        shell('fish', `epmux completion fish | source; complete -C '${line}'`);
      assert.deepEqual(await fish('epmux sta'), ['status\ttunnels, their state, links and nodes']);
      assert.deepEqual(await fish('epmux down '), ['localhost:9001\ttcp://localhost:9001']);
    });
  });
});
