import assert from 'node:assert/strict';
import { AGENT_HELP } from '../../src/agent/help.ts';
import { AGENT_LIMITS, agentLimits } from '../../src/agent/limits.ts';
import { type AgentOptions, parseAgentOptions } from '../../src/agent/options.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { limitWord } from '../../src/runtime/limits.ts';

type Env = Readonly<Record<string, string>>;

function parsed(argv: readonly string[], env: Env = {}): AgentOptions {
  const request = parseAgentOptions(argv, env);
  assert.equal(request.kind, 'run');
  return (request as { readonly options: AgentOptions }).options;
}

function refused(argv: readonly string[], env: Env = {}): string {
  try {
    parseAgentOptions(argv, env);
  } catch (error) {
    assert(error instanceof EpmuxError);
    assert.equal(error.code, 'USAGE');
    assert.equal(error.exitCode, 2);
    return error.message;
  }
  return assert.fail(`${argv.join(' ')} was taken`);
}

describe('the options of epmux agent', () => {
  it('have the defaults of the documentation', () => {
    assert.deepEqual(parsed([]), {
      listen: { host: '127.0.0.1', port: 9001 },
      stdio: false,
      secretFile: undefined,
      pushed: undefined,
      graceMs: 900_000,
      epmdPort: 4369,
      allow: new Map(),
      stallMs: 30_000,
      limits: agentLimits([], {}),
      logLevel: 'info',
      command: [],
    });
  });

  it('take values behind a space or an equals sign', () => {
    const options = parsed(['--grace=2m', '--stall', '500ms', '--secret-file', '/s=1', '--stdio']);
    assert.equal(options.graceMs, 120_000);
    assert.equal(options.stallMs, 500);
    assert.equal(options.secretFile, '/s=1');
    assert.equal(options.stdio, true);
  });

  it('leave everything behind -- to the command, and are quieter with one', () => {
    const options = parsed(['--port', '7', '--', 'iex', '--stdio', '--', '-S', 'mix']);
    assert.deepEqual(options.command, ['iex', '--stdio', '--', '-S', 'mix']);
    assert.equal(options.stdio, false);
    assert.equal(options.logLevel, 'warn');
    assert.equal(parsed(['--log-level', 'debug', '--', 'x']).logLevel, 'debug');
  });

  it('listen where --listen says, else on the port of --port, else of EPMUX_AGENT_PORT', () => {
    const env = { EPMUX_AGENT_PORT: '7001' };
    assert.deepEqual(parsed([], env).listen, { host: '127.0.0.1', port: 7001 });
    assert.deepEqual(parsed(['--port', '7002'], env).listen, { host: '127.0.0.1', port: 7002 });
    assert.deepEqual(parsed(['--listen', '[::1]:0'], env).listen, { host: '::1', port: 0 });
    assert.deepEqual(parsed(['--listen', 'localhost:1']).listen, { host: 'localhost', port: 1 });
    assert.deepEqual(parsed([], { EPMUX_AGENT_PORT: '' }).listen, {
      host: '127.0.0.1',
      port: 9001,
    });
    assert.deepEqual(parsed(['--listen-fd', '3'], env).listen, { fd: 3 });
  });

  it('of a pushed agent name its folder, and leave the port to chance whatever the environment says', () => {
    const options = parsed(['--pushed', '/tmp/x'], { EPMUX_AGENT_PORT: '7001' });
    assert.equal(options.pushed, '/tmp/x');
    assert.deepEqual(options.listen, { host: '127.0.0.1', port: 0 });
    assert.equal(options.logLevel, 'error');
    assert.deepEqual(parsed(['--pushed', '/x', '--listen-fd', '4']).listen, { fd: 4 });
  });

  it('look for epmd where Erlang does', () => {
    const env = { ERL_EPMD_PORT: '5555' };
    assert.equal(parsed([], env).epmdPort, 5555);
    assert.equal(parsed(['--epmd-port', '5556'], env).epmdPort, 5556);
  });

  it('take other bounds from --limit, else from EPMUX_AGENT_LIMITS', () => {
    const env = { EPMUX_AGENT_LIMITS: 'sessions=3, streams=5' };
    const { sessions, streams, connections } = parsed(['--limit', 'streams=7'], env).limits;
    assert.deepEqual([sessions, streams, connections], [3, 7, 256]);
    for (const name of Object.keys(AGENT_LIMITS)) assert(AGENT_HELP.includes(limitWord(name)));
  });

  it('refuse a bound that there is not, or that nothing could work with', () => {
    assert.match(refused(['--limit', 'sesions=3']), /sets no limit: did you mean sessions\?/);
    assert.match(refused(['--limit', 'sessions=0']), /a whole number from 1 to 10000/);
    assert.match(refused(['--limit', 'sessions']), /sessions sets no limit/);
    assert.match(refused([], { EPMUX_AGENT_LIMITS: 'streams=x' }), /^EPMUX_AGENT_LIMITS: streams/);
  });

  it('collect what may be opened', () => {
    const { allow } = parsed(['--allow', 'pg=5432', '--allow=metrics.1=9100']);
    assert.deepEqual(
      [...allow],
      [
        ['pg', 5432],
        ['metrics.1', 9100],
      ],
    );
  });

  it('answer --help and --version whatever else is there', () => {
    assert.equal(parseAgentOptions(['--port', '1', '--help'], {}).kind, 'help');
    assert.equal(parseAgentOptions(['-h'], {}).kind, 'help');
    assert.equal(parseAgentOptions(['--version'], { EPMUX_AGENT_PORT: 'x' }).kind, 'version');
    assert.deepEqual(parsed(['--', 'app', '--help']).command, ['app', '--help']);
  });

  const wrong: readonly [argv: readonly string[], message: RegExp, env?: Env][] = [
    [['--secretfile', 'x'], /unknown option --secretfile: did you mean --secret-file\?/],
    [['iex'], /unexpected word iex.*epmux agent -- iex/],
    [['--port'], /--port needs a value/],
    [['--port', '--', 'x'], /--port needs a value/],
    [['--port='], /--port needs a value/],
    [['--port', '65536'], /--port: 65536 is not a port/],
    [['--port', '1', '--port', '2'], /--port is given twice/],
    [['--stdio=yes'], /--stdio takes no value/],
    [['--listen', '9001'], /9001 is not HOST:PORT/],
    [['--listen', '::1:9001'], /::1:9001 is not HOST:PORT/],
    [['--listen', '127.0.0.1:1', '--port', '2'], /drop --port/],
    [['--listen-fd', '3', '--port', '2'], /drop --listen and --port/],
    [['--listen-fd', '2'], /2 is not a descriptor \(3 or more\)/],
    [['--listen-fd', '3', '--stdio'], /exclude each other/],
    [['--grace', '5 minutes'], /--grace: 5 minutes is not a time/],
    [['--grace', '0'], /outside of 1ms to 24h/],
    [['--stall', '25h'], /outside of 1ms to 24h/],
    [['--epmd-port', '0'], /0 is not a port \(1 to 65535\)/],
    [['--allow', '5432'], /5432 is not NAME=PORT/],
    [['--allow', 'a/b=1'], /is not NAME=PORT/],
    [['--allow', 'a=1', '--allow', 'a=2'], /names a twice/],
    [['--log-level', 'loud'], /loud is none of error, warn, info, debug/],
    [['--pushed', '/x', '--port', '1'], /--pushed and --port exclude each other/],
    [['--pushed', '/x', '--stdio'], /--pushed and --stdio exclude each other/],
    [['--pushed', '/x', '--', 'app'], /--pushed does not go with a command/],
    [['--stdio', '--', 'app'], /--stdio needs stdin and stdout for itself/],
    [['--stdio', '--listen', '127.0.0.1:1'], /exclude each other/],
    [['--'], /no command follows --/],
    [[], /EPMUX_AGENT_PORT: http is not a port/, { EPMUX_AGENT_PORT: 'http' }],
    [[], /ERL_EPMD_PORT: -1 is not a port/, { ERL_EPMD_PORT: '-1' }],
  ];
  for (const [argv, message, env] of wrong) {
    it(`refuse ${argv.join(' ') || JSON.stringify(env)}`, () => {
      assert.match(refused(argv, env), message);
    });
  }

  it('are all in the help', () => {
    const options =
      'listen port listen-fd stdio secret-file grace epmd-port allow stall log-level version help';
    for (const option of options.split(' ')) assert.match(AGENT_HELP, new RegExp(`--${option}\\b`));
  });
});
