import assert from 'node:assert/strict';
import { COMMANDS } from '../../src/cli/commands/index.ts';
import { parseCommandLine } from '../../src/cli/parse.ts';

async function given(...argv: string[]) {
  const request = await parseCommandLine(argv, 80);
  assert.equal(request.kind, 'run');
  return { command: request.command.name, ...request.given };
}

async function help(...argv: string[]): Promise<string> {
  const request = await parseCommandLine(argv, 80);
  assert.equal(request.kind, 'help');
  return request.text;
}

describe('a command line', () => {
  it('gives the command, its word, its options by their long names', async () => {
    const { command, positional, options } = await given('ping', 'my_app', '-c', '3', '--json');
    assert.equal(command, 'ping');
    assert.equal(positional, 'my_app');
    assert.equal(options['count'], '3');
    assert.equal(options['json'], true);
  });

  it('takes options before the command and values behind an equals sign', async () => {
    const { command, options } = await given('--log-level', 'debug', 'up', '--ssh=me@host:2222');
    assert.equal(command, 'up');
    assert.equal(options['ssh'], 'me@host:2222');
    assert.equal(options['log-level'], 'debug');
  });

  it('keeps words as they are: numbers, dots, a leading zero', async () => {
    assert.equal((await given('status', '007')).positional, '007');
    assert.equal((await given('status', '1e3')).positional, '1e3');
    assert.equal((await given('up', '--connect', '10.0')).options['connect'], '10.0');
  });

  it('takes one DYNO for each -d, and the next word as NAME', async () => {
    const { positional, options } = await given('up', '-d', 'web.1', '--dyno', 'worker', 'prod');
    assert.deepEqual(options['dyno'], ['web.1', 'worker']);
    assert.equal(positional, 'prod');
    const exec = await given('exec', '-d', 'web.2', 'my-app', '--', 'hostname');
    assert.deepEqual([exec.options['dyno'], exec.positional], [['web.2'], 'my-app']);
  });

  it('hands on what stands behind --, options and all', async () => {
    const { positional, rest } = await given('remsh', 'app', '--', '--dot-iex', '-x', '--json');
    assert.equal(positional, 'app');
    assert.deepEqual(rest, ['--dot-iex', '-x', '--json']);
  });

  const wrong: [argv: string, says: string | RegExp][] = [
    ['', 'no command is given'],
    ['stauts', 'unknown command stauts: did you mean status?'],
    ['frobnicate', 'unknown command frobnicate'],
    ['watchdog', 'unknown command watchdog'],
    ['--versoin', 'unknown option --versoin: did you mean --version?'],
    ['help stauts', 'unknown command stauts: did you mean status?'],
    ['up --connect h:1 --hidden-only=yes', '--hidden-only takes no value'],
    ['up -y=1', '-y takes no value'],
    ['status --json=true', '--json takes no value'],
    ['down --all=', '--all takes no value'],
    ['up --shh host', 'unknown option --shh: did you mean --ssh?'],
    ['up -ssh host', 'unknown option -ssh: did you mean --ssh?'],
    ['up --no-json', 'unknown option --no-json: did you mean --json?'],
    ['up -z', 'unknown option -z'],
    ['up --frobnicate', 'unknown option --frobnicate'],
    ['up --ssh', '--ssh needs a value'],
    ['up -a', '-a needs a value'],
    ['logs -n', '-n needs a value'],
    ['up -a x -a y', '-a is given more than once'],
    ['up --ssh --json', '--ssh needs a value'],
    ['up --ssh a --ssh b', '--ssh is given more than once'],
    ['up --agent al', /--agent takes auto, require, none, not "al"/],
    ['up --log-level loud', /--log-level takes error, warn, info, debug, not "loud"/],
    ['env --shell fsh', '--shell takes sh, fish, powershell, not "fsh": did you mean sh?'],
    ['completion tcsh', 'SHELL takes bash, zsh, fish, not "tcsh"'],
    ['status a b', 'unexpected word b: status takes one NAME only'],
    ['nodes x', 'unexpected word x: nodes takes no words'],
    ['nodes -- x', 'nodes takes no words behind --'],
    ['--log-level debug agent', 'the options of the agent stand behind the word agent'],
  ];
  for (const [argv, says] of wrong) {
    it(`"${argv}" is wrong, and one thing is said`, async () => {
      const words = argv.split(' ').filter((word) => word !== '');
      await assert.rejects(parseCommandLine(words, 80), { code: 'USAGE', message: says });
    });
  }

  it('asks for the version', async () => {
    assert.deepEqual(await parseCommandLine(['--version'], 80), { kind: 'version' });
  });
});

describe('help', () => {
  it('lists every command that is there, and none that is not', async () => {
    const text = await help('--help');
    for (const { name } of [...COMMANDS, { name: 'agent' }]) {
      assert.match(text, new RegExp(`^ {2}epmux ${name} `, 'm'));
    }
    for (const later of ['supervisor', 'daemon', '__complete']) {
      assert.doesNotMatch(text, new RegExp(`epmux ${later}\\b`));
    }
  });

  it('is the same in its three spellings', async () => {
    const text = await help('up', '--help');
    assert.equal(await help('up', '-h'), text);
    assert.equal(await help('help', 'up'), text);
  });

  it('wins over whatever else is wrong with the line', async () => {
    assert.match(await help('up', '--frobnicate', '--help'), /^epmux up /);
  });

  for (const { name, load } of COMMANDS) {
    it(`of ${name} shows its options and an example that parses`, async () => {
      const command = await load();
      const text = await help(name, '--help');
      for (const [option, spec] of Object.entries(command.options)) {
        assert.equal(text.includes(`--${option} `), !('hidden' in spec), option);
      }
      assert.ok(command.examples.length > 0);
      for (const [line] of command.examples) {
        // A redirection is the shell's.
        const [own = ''] = line.split(' < ');
        const words = (own.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replaceAll("'", ''));
        assert.equal((await given(...words)).command, name, line);
      }
    });
  }

  it('of what takes a NODE tells all that it may be', async () => {
    for (const name of ['remsh', 'observer', 'ping']) {
      assert.match(
        await help(name, '--help'),
        /NODE: my_app@host, my_app, a dyno .*tunnel, web\.1\/my_app, or/s,
      );
    }
  });

  it('of the agent is the agent’s own', async () => {
    assert.match(await help('help', 'agent'), /--stdio/);
  });
});
