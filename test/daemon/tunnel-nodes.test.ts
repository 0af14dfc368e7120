import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { NameTable } from '../../src/daemon/names.ts';
import { TunnelNodes } from '../../src/daemon/tunnel-nodes.ts';
import { Descriptors } from '../../src/runtime/descriptors.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { Directory } from '../../src/session/types.ts';
import { DEFAULT_LIMITS } from '../support/default-limits.ts';
import { ManualClock } from '../support/manual-clock.ts';

function directory(epoch: number, ...names: string[]): Directory {
  const nodes = names.map((name) => {
    return { name, visible: true, cookieKnown: false, port: 1, creation: 1, release: '' };
  });
  return { epoch, epmdDown: false, truncated: false, nodes };
}

describe('the nodes behind a link', () => {
  let nodes: TunnelNodes;
  let clock: ManualClock;
  let address: string;
  let errors: unknown[];
  let warnings: unknown[];

  beforeEach(() => {
    clock = new ManualClock();
    address = '127.0.0.1';
    errors = [];
    warnings = [];
    nodes = new TunnelNodes({
      dyno: null,
      tunnel: 'prod',
      addresses: { addressOf: async () => address },
      names: new NameTable(),
      limits: DEFAULT_LIMITS,
      descriptors: new Descriptors(() => 0),
      clock,
      isAway: () => false,
      onConnection: () => undefined,
      logger: {
        ...silentLogger,
        warn: (_message, fields) => warnings.push(fields),
        error: (_message, fields) => errors.push(fields?.['node']),
      },
    });
  });
  afterEach(() => nodes.close());

  const led = (): string[] => nodes.list(false).map(({ name }) => name);

  it('are those of the last of several directories that come at once', async () => {
    await nodes.set(directory(1, 'app@dyno'));
    assert.deepEqual(led(), ['app@dyno']);
    await Promise.all([nodes.set(directory(2)), nodes.set(directory(3, 'app@dyno'))]);
    assert.deepEqual(led(), ['app@dyno']);
    await Promise.all([nodes.set(directory(4, 'app@dyno', 'other@dyno')), nodes.set(directory(5))]);
    assert.deepEqual(led(), []);
  });

  it('have names that a node can have: others are counted in one line of the log', async () => {
    const longest = `${'y'.repeat(250)}@dyno`;
    const odd = [`y${longest}`, 'app@dyno\n127.0.0.1 bank', '\u001b[2J@dyno', 'a@\u009b2J'];
    await nodes.set(directory(1, ...odd, longest));
    assert.deepEqual(led(), [longest]);
    await nodes.set(directory(2, ...odd, 'app@dyno'));
    assert.deepEqual(led(), ['app@dyno']);
    assert.deepEqual(warnings, [{ dyno: null, count: 4 }]);
  });

  it('are tried again where they got no port, and named once', async () => {
    // TEST-NET-1 (RFC 5737): no machine has it.
    address = '192.0.2.1';
    await nodes.set(directory(1, 'app@dyno', 'other@dyno'));
    assert.deepEqual(led(), []);
    clock.advance(5_000);
    await nodes.set(directory(2, 'app@dyno', 'other@dyno'));
    assert.deepEqual(errors, ['app@dyno', 'other@dyno']);
    assert.match(nodes.portless ?? '', /^app@dyno: .*192\.0\.2\.1/);
    address = '127.0.0.1';
    clock.advance(5_000);
    while (led().length < 2) await turn();
    assert.deepEqual(led(), ['app@dyno', 'other@dyno']);
    assert.equal(nodes.portless, undefined);
  });

  it('are not tried again once they are gone', async () => {
    address = '192.0.2.1';
    await nodes.set(directory(1, 'app@dyno'));
    await nodes.set(directory(2));
    assert.equal(clock.waiting, 0);
  });
});
