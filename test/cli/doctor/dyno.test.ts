import assert from 'node:assert/strict';
import type { CheckResult } from '../../../src/cli/doctor/check.ts';
import { type DynoContext, SURROUNDINGS_CHECKS } from '../../../src/cli/doctor/dyno.ts';
import { FORMATION_CHECKS } from '../../../src/cli/doctor/heroku-way.ts';
import { NODE_CHECKS } from '../../../src/cli/doctor/nodes.ts';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { one, outcomeOf, run } from './checks-support.ts';

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
      assert.equal(outcomeOf(required.at(-1)), 'broken AGENT_MISSING');
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
