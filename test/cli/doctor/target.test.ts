import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodesToPing } from '../../../src/cli/doctor/pings.ts';
import { TARGET_CHECKS, type TargetContext } from '../../../src/cli/doctor/target.ts';
import type { WayInput } from '../../../src/cli/way/options.ts';
import type { TunnelSpec, TunnelStatus, Way } from '../../../src/daemon/control/api.ts';
import { VERSION } from '../../../src/runtime/version.ts';
import { one, outcomeOf, run } from './checks-support.ts';

const APP: Way = { kind: 'heroku', app: 'my-app', dynos: [] };
const REST = { agent: 'auto', agentPort: 9_001, hiddenOnly: false } as const;

describe('the target of doctor that the daemon has', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'epmux-target-'));
    for (const name of ['right.secret', 'key']) writeFileSync(join(folder, name), 'x');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const contextOf = (spec: TunnelSpec, input: WayInput, env = {}): TargetContext => {
    const state = { state: 'failed', lastError: null } as const;
    const running = { name: spec.name, target: 'as it runs', ...state } as TunnelStatus;
    const daemon = { pid: 1, version: VERSION, startedAt: '' };
    return {
      name: spec.name,
      input,
      daemon: {
        version: VERSION,
        status: { daemon, tunnels: [running] },
        leading: { epmdPort: 1, inetrc: '' },
      },
      io: { cwd: folder, env: { HOME: folder, ...env } },
      wallNow: 0,
      specOf: async () => spec,
    };
  };
  const look = async (spec: TunnelSpec, input: WayInput) => {
    const context = contextOf(spec, input);
    const finding = await one(TARGET_CHECKS, 'target', context);
    return { finding, spec: context.spec, isAsItRuns: context.isAsItRuns };
  };

  it('is as it runs where nothing else is said', async () => {
    const prod = { name: 'prod', way: APP, ...REST };
    const { finding, spec, isAsItRuns } = await look(prod, {});
    assert.equal(spec, prod);
    assert.equal(isAsItRuns, true);
    assert.equal(finding?.detail, 'prod: as it runs');
  });

  it('has the nodes of the dynos that are named pinged, and no others', () => {
    const nodes = ['web.1', 'web.10', 'worker.1', null].map((dyno) => ({ name: `${dyno}`, dyno }));
    const running = { state: 'up', nodes } as unknown as TunnelStatus;
    const pinged = (...selectors: string[]) =>
      nodesToPing({ running, selectors }).map(({ name }) => name);
    assert.deepEqual(pinged(), ['web.1', 'web.10', 'worker.1', 'null']);
    assert.deepEqual(pinged('web.1'), ['web.1', 'null']);
    assert.deepEqual(pinged('web', 'worker.1'), ['web.1', 'web.10', 'worker.1', 'null']);
    assert.deepEqual(nodesToPing({ running: { ...running, state: 'failed' }, selectors: [] }), []);
  });

  it('has the dynos that are named', async () => {
    const way = { ...APP, dynos: ['web'] };
    const found = await look({ name: 'prod', way, ...REST }, { dyno: ['web.9'] });
    assert.deepEqual(found.spec, { name: 'prod', way: { ...way, dynos: ['web.9'] }, ...REST });
    assert.equal(found.isAsItRuns, false);
    assert.equal(found.finding?.detail, 'prod: heroku://my-app/web.9');
  });

  it('has each option laid over it, whatever way it leads', async () => {
    const address = { host: '::1', port: 7 };
    const ways: Way[] = [
      APP,
      { kind: 'ssh', user: 'me@work', ...address, identityFile: join(folder, 'key') },
      { kind: 'connect', ...address },
    ];
    const rest = { ...REST, epmdPort: 1, via: 'socks5://p:1' };
    const input = {
      agent: 'none',
      'agent-port': '8',
      'epmd-port': '9',
      'secret-file': 'right.secret',
      via: 'socks5://other:2',
      'hidden-only': true,
    };
    for (const way of ways) {
      const { spec } = await look({ name: 'prod', way, ...rest }, input);
      assert.deepEqual(spec, {
        name: 'prod',
        way,
        agent: 'none',
        agentPort: 8,
        epmdPort: 9,
        hiddenOnly: true,
        secretFile: join(folder, 'right.secret'),
        via: 'socks5://other:2',
      });
    }
    const way: Way = { kind: 'command', command: 'cat' };
    const { spec } = await look({ name: 'prod', way, ...REST }, { agent: 'require' });
    assert.deepEqual(spec, { name: 'prod', way, ...REST, agent: 'require' });
  });

  it('is left alone where a variable can not be read', async () => {
    const context = contextOf({ name: 'prod', way: APP, ...REST }, {}, { EPMUX_COOKIE: 'a\nb' });
    const results = await run(TARGET_CHECKS, context);
    assert.deepEqual(
      results.map((result) => `${result.id} ${outcomeOf(result)}`),
      ['target ok', 'tunnel broken TUNNEL_DOWN', 'variables broken CONFIG_INVALID'],
    );
    assert.equal(context.given, undefined);
  });

  it('is broken by an option that does not go with its way', async () => {
    const way: Way = { kind: 'connect', host: 'h', port: 1 };
    const { finding } = await look({ name: 'prod', way, ...REST }, { dyno: ['web.1'] });
    assert.equal(outcomeOf(finding), 'broken USAGE');
    assert.match(finding?.detail ?? '', /--dyno goes with --app only/);
  });
});
