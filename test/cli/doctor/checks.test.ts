import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type Check, type CheckResult, ok, runChecks } from '../../../src/cli/doctor/check.ts';
import { doctorDocument, exitOf, resultLines, summary } from '../../../src/cli/doctor/document.ts';
import { LOCAL_CHECKS, type LocalPorts } from '../../../src/cli/doctor/local.ts';
import { plain } from '../../../src/cli/terminal/style.ts';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import { VERSION } from '../../../src/runtime/version.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { never, one, outcomeOf, run } from './checks-support.ts';

const MANIFEST = new URL('../../../package.json', import.meta.url);
const OLDEST_NODE = JSON.parse(readFileSync(MANIFEST, 'utf8')).engines.node.replace('>=', '');

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
    assert.equal(outcomeOf(result), 'broken INTERNAL');
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
    assert.equal(outcomeOf(results[0]), 'broken TIMEOUT');
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
    ['the oldest Node of package.json', { nodeVersion: `${OLDEST_NODE}.0` }, 'node', 'ok'],
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
    [
      'a daemon that crashed today',
      {
        daemon: async () => ({
          ...side,
          status: {
            daemon: {
              ...daemon,
              lastCrash: { at: new Date().toISOString(), reason: 'exit code 134', report: '/r' },
            },
            tunnels: [],
          },
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
      assert.equal(outcomeOf(result), outcome);
    });
  }

  it('tell a node that came before its address did, and which one is next', async () => {
    const unreachable = 'app@a was first to have the name app on 127.0.0.1';
    const first = {
      name: 'app@a',
      dyno: null,
      address: '127.0.0.1',
      port: 1,
      state: 'up',
    } as const;
    const second = { ...first, name: 'app@b', address: '127.0.0.2' };
    const nodes = [first, second, { ...first, name: 'app@c', unreachable }];
    const facts = { target: 't', state: 'up', since: '', reconnects: 0, lastError: null } as const;
    const status = { daemon, tunnels: [{ ...facts, name: 'prod', links: [], nodes }] };
    const look = async (canListen: LocalPorts['canListen']) => {
      const context = { ports: { ...ports, canListen }, daemon: { ...side, status } };
      const result = await one(LOCAL_CHECKS, 'loopback', context);
      assert.deepEqual([result?.state, result?.detail], ['warning', `app@c: ${unreachable}`]);
      return result?.state === 'warning' ? result.hint : '';
    };
    assert.match(await look(async (address) => address !== '127.0.0.3'), /alias 127\.0\.0\.3/);
    assert.match(await look(async () => true), /^127\.0\.0\.3 is free .* prod down and up again$/);
  });

  it('tell a virtual epmd that does not answer', async () => {
    const results = await run(LOCAL_CHECKS, { ports: { ...ports, epmdNames: refused } });
    const virtual = results.find(({ id }) => id === 'virtual-epmd');
    assert.equal(outcomeOf(virtual), 'broken NO_EPMD');
  });
});
