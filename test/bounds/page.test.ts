import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AGENT_LIMITS } from '../../src/agent/limits.ts';
import { DAEMON_LIMITS } from '../../src/daemon/limits.ts';
import { type LimitTable, limitWord } from '../../src/runtime/limits.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(ROOT, 'docs', 'bounds.md'), 'utf8');

interface Row {
  readonly standard: string;
  readonly setBy: string;
  readonly test: string;
}

function rowsOf(heading: string): readonly Row[] {
  const section = page.split(/^## /m).find((text) => text.startsWith(heading)) ?? '';
  const rows = section.split('\n').filter((line) => /^\| (?!---|what \|)/.test(line));
  return rows.map((line) => {
    const [, standard = '', setBy = '', , test = ''] = line.split(' | ').map((cell) => cell.trim());
    return { standard, setBy, test: test.replace(/ \|$/, '') };
  });
}

/** As the page writes a default: `1,024`, `16 MiB`, `65,528 bytes`, `10 s`, `0.2 s`, `10 min`. */
function written(name: string, value: number): string {
  if (name.endsWith('Bytes')) {
    const mib = value / (1_024 * 1_024);
    return Number.isInteger(mib) ? `${mib} MiB` : `${value.toLocaleString('en-US')} bytes`;
  }
  if (!name.endsWith('Ms')) return value.toLocaleString('en-US');
  return value >= 60_000 ? `${value / 60_000} min` : `${value / 1_000} s`;
}

describe('docs/bounds.md', () => {
  const tables: readonly [heading: string, limits: LimitTable][] = [
    ['The agent', AGENT_LIMITS],
    ['The daemon', DAEMON_LIMITS],
  ];
  for (const [heading, limits] of tables) {
    it(`tells each bound under "${heading}" once, with its default`, () => {
      const told = rowsOf(heading).filter(({ setBy }) => /^`[a-z]/.test(setBy));
      assert.deepEqual(
        told.map(({ setBy, standard }) => `${setBy} ${standard}`).toSorted(),
        Object.entries(limits)
          .map(([name, limit]) => `\`${limitWord(name)}\` ${written(name, limit.default)}`)
          .toSorted(),
      );
    });
  }

  it('names for each bound a test that is there', () => {
    const rows = ['The agent', 'The daemon', 'Both ends'].flatMap(rowsOf);
    assert.ok(rows.length > 50, `${rows.length} rows`);
    for (const { test } of rows) {
      const file = /^`(test\/[\w./-]+\.test\.ts)`$/.exec(test)?.[1];
      assert.ok(file !== undefined && existsSync(join(ROOT, file)), `${test} is no test`);
    }
  });
});
