import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const MODULE = pathToFileURL(join(import.meta.dirname, '../../src/runtime/small-heap.ts')).href;

/**
 * As a burst of openings does: much is allocated, some of it lives for a while, and little stays.
 */
const BURST = `
  import v8 from 'node:v8';
  const living = [];
  for (let at = 0; at < 3_000_000; at += 1) living[at % 60_000] = { at, next: [at] };
  const sizes = v8.getHeapSpaceStatistics();
  const young = sizes.find(({ space_name }) => space_name === 'new_space').space_size;
  console.log(JSON.stringify({ young, all: v8.getHeapStatistics().total_heap_size }));
`;

interface Sizes {
  readonly young: number;
  readonly all: number;
}

async function sizesAfter(before: string): Promise<Sizes> {
  const argv = ['--import', 'tsx', '--input-type=module', '-e', `${before}${BURST}`];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, argv);
  assert.equal(stderr, '', 'V8 knows all flags');
  return JSON.parse(stdout) as Sizes;
}

describe('a heap that is kept small', function () {
  this.timeout(60_000);

  it('has less left of a burst than V8 would keep', async () => {
    const [standard, small] = await Promise.all([
      sizesAfter(''),
      sizesAfter(`import { keepHeapSmall } from '${MODULE}'; keepHeapSmall();`),
    ]);
    assert.ok(small.young < standard.young / 2, JSON.stringify({ standard, small }));
    assert.ok(small.all < standard.all, JSON.stringify({ standard, small }));
  });
});
