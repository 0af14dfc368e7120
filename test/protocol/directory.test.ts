import assert from 'node:assert/strict';
import type { DirectoryNode } from '../../src/protocol/directory.ts';
import { encodeDirectory, parseDirectory } from '../../src/protocol/directory.ts';

function node(name: string): DirectoryNode {
  return { name, visible: true, cookieKnown: false, port: 9100, creation: 7, release: '27' };
}

describe('directory', () => {
  it('leaves out what does not fit and says so', () => {
    const nodes = Array.from({ length: 2_000 }, (_, at) => node(`node_${at}@${'h'.repeat(40)}`));
    const payload = encodeDirectory({ epoch: 1, epmdDown: false, truncated: false, nodes });
    assert.ok(payload.length <= 65_536);
    const parsed = parseDirectory(payload);
    assert.equal(parsed.truncated, true);
    assert.deepEqual(parsed.nodes, nodes.slice(0, parsed.nodes.length));
    assert.ok(parsed.nodes.length > 900, `${parsed.nodes.length}`);
  });

  it('leaves out a node whose name no length can tell', () => {
    const nodes = [node('a@h'), node('x'.repeat(70_000))];
    const parsed = parseDirectory(
      encodeDirectory({ epoch: 1, epmdDown: false, truncated: false, nodes }),
    );
    assert.deepEqual(parsed.nodes, [node('a@h')]);
    assert.equal(parsed.truncated, true);
  });

  it('ignores what follows the last node', () => {
    const directory = { epoch: 1, epmdDown: true, truncated: false, nodes: [node('a@h')] };
    const payload = Buffer.concat([encodeDirectory(directory), Buffer.from('later minors')]);
    assert.deepEqual(parseDirectory(payload), directory);
  });

  it('refuses one cut short at any byte, and node types that it does not know', () => {
    const payload = encodeDirectory({
      epoch: 1,
      epmdDown: false,
      truncated: false,
      nodes: [node('a@h'), node('b')],
    });
    for (let length = 0; length < payload.length; length++) {
      assert.throws(() => parseDirectory(payload.subarray(0, length)), { code: 'PROTOCOL' });
    }
    const other = Buffer.from(payload);
    other.writeUInt8(78, 7 + 2 + 3);
    assert.throws(() => parseDirectory(other), { code: 'PROTOCOL', message: /type 78/ });
  });
});
