import assert from 'node:assert/strict';
import { type Check, type CheckResult, ok, runChecks } from '../../../src/cli/doctor/check.ts';
import { doctorDocument, exitOf, resultLines, summary } from '../../../src/cli/doctor/document.ts';
import { type DynoContext, SURROUNDINGS_CHECKS } from '../../../src/cli/doctor/dyno.ts';
import { FORMATION_CHECKS } from '../../../src/cli/doctor/heroku-way.ts';
import { LOCAL_CHECKS, type LocalPorts } from '../../../src/cli/doctor/local.ts';
import { NODE_CHECKS } from '../../../src/cli/doctor/nodes.ts';
import { plain } from '../../../src/cli/terminal/style.ts';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { VERSION } from '../../../src/runtime/version.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const never = new AbortController().signal;

async function run<C>(checks: readonly Check<C>[], context: C): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const tell = (result: CheckResult) => void results.push(result);
  await runChecks(checks, context, { clock: systemClock, signal: never, tell });
  return results;
}

/** What one check of a group says. */
async function one<C>(checks: readonly Check<C>[], id: string, context: C) {
  const [result] = await run(
    checks.filter((check) => check.id === id),
    context,
  );
  return result;
}

describe('a round of checks', () => {
  const check = (id: string, look: Check<null>['look'], vital = false): Check<null> => ({
    id,
    title: id,
    vital,
    look,
  });
  const fail = (code: 'NO_EPMD' | 'TIMEOUT') => () => {
    throw new EpmuxError(code, 'what happened', { hint: 'what to do' });
  };

  it('goes on after a broken one, and ends at a vital one', async () => {
    const results = await run(
      [
        check('a', () => ok('fine')),
        check('b', fail('NO_EPMD')),
        check('c', () => undefined),
        check('d', fail('TIMEOUT'), true),
        check('e', () => ok('fine')),
      ],
      null,
    );
    assert.deepEqual(
      results.map(({ id, state }) => `${id} ${state}`),
      ['a ok', 'b broken', 'd broken'],
    );
    assert.deepEqual(results[1], {
      id: 'b',
      title: 'b',
      state: 'broken',
      detail: 'what happened',
      hint: 'what to do',
      code: 'NO_EPMD',
    });
    assert.equal(exitOf(results), 3);
    assert.equal(doctorDocument(results).ok, false);
    assert.equal(summary(results), '2 broken');
  });

  it('takes what was never to happen for broken too', async () => {
    const [result] = await run([check('a', () => Promise.reject(new TypeError('oh')))], null);
    assert.deepEqual([result?.state, result?.code], ['broken', 'INTERNAL']);
  });

  it('ends a check that comes to no end', async () => {
    const clock = new ManualClock();
    const results: CheckResult[] = [];
    let signal: AbortSignal | undefined;
    const hang = check('a', (_context, given) => {
      signal = given;
      return new Promise(() => {});
    });
    const done = runChecks([hang], null, {
      clock,
      signal: never,
      tell: (result) => void results.push(result),
      limitMs: 1_000,
    });
    clock.advance(1_000);
    await done;
    assert.equal(results[0]?.code, 'TIMEOUT');
    assert.equal(signal?.aborted, true);
  });

  it('tells the hint below its line, and no control characters', () => {
    const result = {
      id: 'a',
      title: 'epmd',
      state: 'warning',
      detail: 'a\u001b[31m',
      hint: 'b',
    } as const;
    assert.deepEqual(resultLines(result, plain), [
      `warning  ${'epmd'.padEnd(22)} a\uFFFD[31m`,
      '         hint: b',
    ]);
  });
});

describe('the checks of this machine', () => {
  const cookie = { path: '/h/.erlang.cookie', mode: 0o400, isOwn: true, isEmpty: false };
  const daemon = { pid: 1, version: VERSION, startedAt: '' };
  const side = {
    version: VERSION,
    status: { daemon, tunnels: [] },
    leading: { epmdPort: 7, inetrc: '' },
  };
  const ports: LocalPorts = {
    nodeVersion: '24.1.0',
    ask: async (program) => (program === 'erl' ? '27' : '1.18.1'),
    cookieFile: async () => cookie,
    epmdPort: 4369,
    epmdNames: async () => [],
    daemon: async () => side,
    canListen: async () => true,
  };
  const refused = async () => {
    throw new EpmuxError('NO_EPMD', 'nobody');
  };

  it('find all in order', async () => {
    const results = await run(LOCAL_CHECKS, { ports });
    assert.deepEqual(
      results.map(({ id, state }) => `${id} ${state}`),
      LOCAL_CHECKS.map(({ id }) => `${id} ok`),
    );
  });

  const cases: [what: string, other: Partial<LocalPorts>, id: string, outcome: string][] = [
    ['an old Node', { nodeVersion: '20.18.9' }, 'node', 'broken UNSUPPORTED'],
    ['no Erlang', { ask: async () => undefined }, 'erlang', 'warning'],
    ['an old Erlang', { ask: async () => '22' }, 'erlang', 'warning'],
    ['no Elixir', { ask: async () => undefined }, 'elixir', 'ok'],
    ['no cookie yet', { cookieFile: async () => undefined }, 'local-cookie', 'ok'],
    [
      'a cookie that others may read',
      { cookieFile: async () => ({ ...cookie, mode: 0o644 }) },
      'local-cookie',
      'broken PERMISSION_DENIED',
    ],
    [
      "somebody else's cookie",
      { cookieFile: async () => ({ ...cookie, isOwn: false }) },
      'local-cookie',
      'broken PERMISSION_DENIED',
    ],
    ['no epmd', { epmdNames: refused }, 'local-epmd', 'ok'],
    [
      'something else for epmd',
      {
        epmdNames: async () => {
          throw new EpmuxError('EPMD_PROTOCOL', 'no epmd');
        },
      },
      'local-epmd',
      'warning',
    ],
    ['no daemon', { daemon: async () => undefined }, 'daemon', 'ok'],
    [
      'a daemon of another version',
      { daemon: async () => ({ ...side, version: '0.0.1' }) },
      'daemon',
      'broken DAEMON_VERSION',
    ],
    [
      'a daemon in trouble',
      {
        daemon: async () => ({
          ...side,
          status: { daemon: { ...daemon, problems: ['the disk is full'] }, tunnels: [] },
        }),
      },
      'daemon',
      'warning',
    ],
    ['one loopback address', { canListen: async () => false }, 'loopback', 'warning'],
  ];
  for (const [what, other, id, outcome] of cases) {
    it(`tell ${what}`, async () => {
      const result = await one(LOCAL_CHECKS, id, { ports: { ...ports, ...other } });
      assert.equal([result?.state, result?.code].filter(Boolean).join(' '), outcome);
    });
  }

  it('tell a virtual epmd that does not answer', async () => {
    const results = await run(LOCAL_CHECKS, { ports: { ...ports, epmdNames: refused } });
    const virtual = results.find(({ id }) => id === 'virtual-epmd');
    assert.deepEqual([virtual?.state, virtual?.code], ['broken', 'NO_EPMD']);
  });
});

describe('the checks of a dyno', () => {
  const node = { version: '22.1.0', path: '/usr/bin/node' };
  const facts = { node, beams: [], cookieSources: [], listeners: [] };
  const missing = async () => {
    throw new EpmuxError('AGENT_MISSING', 'nobody there');
  };
  const context = (other: Partial<DynoContext> = {}): DynoContext => ({
    carrier: { label: 'x', openAgentPipe: missing, dial: missing, exec: missing },
    choice: 'auto',
    agentPort: 9001,
    epmdPort: 4369,
    clock: systemClock,
    secret: async () => undefined,
    isAttached: false,
    cookies: async () => undefined,
    localRelease: 25,
    askFacts: async () => facts,
    greet: missing,
    ...other,
  });
  const stateOf = (results: readonly CheckResult[], id: string) =>
    results.find((result) => result.id === id)?.state;

  it('take an agent for granted that can be brought', async () => {
    const results = await run(SURROUNDINGS_CHECKS, context());
    assert.deepEqual([stateOf(results, 'node-there'), stateOf(results, 'agent')], ['ok', 'ok']);
  });

  it('warn of a dyno where no agent can be brought, or break where there has to be one', async () => {
    for (const found of [undefined, { version: '18.20.0', path: '/bin/node' }]) {
      const askFacts = async () => ({ ...facts, node: found });
      const auto = await run(SURROUNDINGS_CHECKS, context({ askFacts }));
      assert.equal(stateOf(auto, 'agent'), 'warning');
      const required = await run(SURROUNDINGS_CHECKS, context({ askFacts, choice: 'require' }));
      assert.equal(required.at(-1)?.code, 'AGENT_MISSING');
    }
  });

  it('look for no agent that is not wanted', async () => {
    const results = await run(SURROUNDINGS_CHECKS, context({ choice: 'none' }));
    assert.deepEqual(
      results.map(({ id }) => id),
      ['node-there'],
    );
  });

  it('go on where nothing can be run', async () => {
    const askFacts = async () => {
      throw new EpmuxError('EXEC_REFUSED', 'no');
    };
    const results = await run(SURROUNDINGS_CHECKS, context({ askFacts }));
    assert.equal(stateOf(results, 'node-there'), 'warning');
  });

  const nodes = [{ short: 'app', port: 5_000, name: 'app@a' }];
  const beam = { pid: 7, name: 'app@a', release: 25 };

  it('warn of releases that are too far apart', async () => {
    for (const [release, state] of [
      [23, 'ok'],
      [27, 'ok'],
      [28, 'warning'],
      [22, 'warning'],
    ] as const) {
      const beams = [
        { ...beam, release },
        { pid: 8, name: 'other@a', release: 20 },
      ];
      const found = await one(NODE_CHECKS, 'release', {
        ...context(),
        nodes,
        facts: { ...facts, beams },
      });
      assert.equal(found?.state, state, String(release));
    }
  });

  it('warn of distribution on more than loopback', async () => {
    for (const [isLoopback, state] of [
      [true, 'ok'],
      [false, 'warning'],
    ] as const) {
      const listeners = [
        { port: 5_000, isLoopback },
        { port: 80, isLoopback: false },
      ];
      const found = await one(NODE_CHECKS, 'listeners', {
        ...context(),
        nodes,
        facts: { ...facts, listeners },
      });
      assert.equal(found?.state, state);
    }
  });

  it('say whether names are short or long', async () => {
    const look = async (...names: string[]) =>
      one(NODE_CHECKS, 'names', {
        ...context(),
        nodes: names.map((name) => ({ short: 'app', port: 1, name })),
      });
    assert.match((await look('app@a'))?.detail ?? '', /^short/);
    assert.match((await look('app@a.b'))?.detail ?? '', /^long/);
    assert.equal((await look('app@a', 'b@a.b'))?.state, 'warning');
  });

  it('tell a BEAM without a name from none', async () => {
    const look = (beams: readonly (typeof beam | (typeof beam & { name: undefined }))[]) =>
      one(NODE_CHECKS, 'beam', { ...context(), nodes: [], facts: { ...facts, beams } });
    assert.match((await look([]))?.detail ?? '', /no process/);
    const nameless = { ...beam, name: undefined } as unknown as typeof beam;
    assert.match((await look([nameless]))?.detail ?? '', /pid 7 runs without a name/);
  });

  it('warn of two dynos whose nodes have one name', async () => {
    const visited = (name: string) => [
      { dyno: 'web.1', nodes },
      { dyno: 'web.2', nodes: [{ short: 'app', port: 1, name }] },
    ];
    const same = await one(FORMATION_CHECKS, 'same-names', visited('app@a'));
    assert.match(same?.detail ?? '', /app@a in web\.1, web\.2/);
    assert.equal((await one(FORMATION_CHECKS, 'same-names', visited('app@b')))?.state, 'ok');
  });
});
