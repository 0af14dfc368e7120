import assert from 'node:assert/strict';
import { Addresses } from '../../src/daemon/addresses.ts';
import { STANDARD_LIMITS } from '../../src/daemon/limits.ts';
import { NameTable } from '../../src/daemon/names.ts';
import { TunnelNodes } from '../../src/daemon/tunnel-nodes.ts';
import { Descriptors } from '../../src/runtime/descriptors.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import type { Directory } from '../../src/session/types.ts';

function directory(epoch: number, ...names: string[]): Directory {
  const nodes = names.map((name) => {
    return { name, visible: true, cookieKnown: false, port: 1, creation: 1, release: '' };
  });
  return { epoch, epmdDown: false, truncated: false, nodes };
}

describe('the nodes behind a link', () => {
  let nodes: TunnelNodes;

  beforeEach(() => {
    nodes = new TunnelNodes({
      dyno: null,
      addresses: new Addresses({
        many: true,
        ownHosts: [],
        open: async () => true,
        inUse: () => false,
      }),
      names: new NameTable(),
      limits: STANDARD_LIMITS,
      descriptors: new Descriptors(() => 0),
      onConnection: () => undefined,
      logger: silentLogger,
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
});
