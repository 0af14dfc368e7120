import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as constants from '../../src/protocol/constants.ts';
import { FRAME_SHAPES } from '../../src/protocol/frames.ts';
import { encodeHello } from '../../src/protocol/hello.ts';

const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');

/** The rows of the table whose header row has these first columns, cells trimmed. */
function table(...columns: readonly string[]): string[][] {
  const lines = page.split('\n');
  const start = lines.findIndex((line) => columns.every((name, at) => cells(line)[at] === name));
  assert.notEqual(start, -1, `no table with the columns ${columns.join(', ')}`);
  const rows: string[][] = [];
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith('|')) break;
    rows.push(cells(line));
  }
  return rows;
}

function cells(line: string): string[] {
  if (!line.startsWith('|')) return [];
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

describe('docs/protocol.md and the source', () => {
  it('know the same frames', () => {
    const rows = table('type', 'frame', 'on stream');
    assert.deepEqual(
      Object.fromEntries(rows.map(([type, name]) => [name, Number(type)])),
      constants.FrameType,
    );
  });

  it('agree on which frames stand on a stream', () => {
    for (const [, name = '', on] of table('type', 'frame', 'on stream')) {
      const shape = FRAME_SHAPES[name as keyof typeof FRAME_SHAPES];
      assert.equal(shape.onStream, on !== '0', name);
    }
  });

  it('agree on the sizes of payloads', () => {
    const reason = 2 + constants.MAX_TEXT_BYTES;
    /** How the page words a payload → its least and most bytes. */
    const words: Record<string, readonly [number, number]> = {
      '32 bytes': [32, 32],
      'code:16, text': [2, reason],
      'code:16, text. The pipe closes after it': [2, reason],
      'code:16, text. The session is over; the pipe closes': [2, reason],
      'kind:8 (0 new, 1 resume), session id:128, received:64': [25, 25],
      'kind:8 (0 new, 1 resumed), received:64': [9, 9],
      'received:64': [8, 8],
      'token:64': [8, 8],
      'limit:64': [8, 8],
      empty: [0, 0],
      'the rest of a divided reliable frame, 1 to 65,543 bytes': [1, 65_543],
      'class:8 (0 interactive, 1 bulk), target text (1 to 512 bytes)': [2, 513],
      '1 to 65,536 bytes': [1, 65_536],
      'see 5': [7, 65_536],
    };
    for (const [, name = '', , payload = ''] of table('type', 'frame', 'on stream')) {
      const { minBytes, maxBytes } = FRAME_SHAPES[name as keyof typeof FRAME_SHAPES];
      assert.deepEqual([minBytes, maxBytes], words[payload], `${name}: ${payload}`);
    }
  });

  it('know the same codes', () => {
    const rows = table('code', 'name', 'meaning');
    assert.deepEqual(
      Object.fromEntries(rows.map(([code, name]) => [name, Number(code)])),
      constants.WireCode,
    );
  });

  it('know the same constants', () => {
    const values: Record<string, unknown> = { ...constants };
    const rows = table('constant', 'value');
    assert.ok(rows.length >= 10);
    for (const [name = '', value] of rows) assert.equal(values[name], Number(value), name);
  });

  it('know the same attributes', () => {
    const names = { software: 'software', 'boot id': 'bootId', 'host name': 'hostName' };
    const rows = table('type', 'attribute', 'value');
    assert.deepEqual(
      Object.fromEntries(
        rows.map(([type, name]) => [names[name as keyof typeof names], Number(type)]),
      ),
      constants.AttributeType,
    );
  });

  it('lay out the hello and the frame header alike', () => {
    const [hello, header] = [table('offset', 'size', 'field'), page.split('## 2. Frames')[1] ?? ''];
    const magic = /`([0-9A-F ]+)`/.exec(hello[0]?.[2] ?? '')?.[1] ?? '';
    assert.equal(
      magic.replace(/ /g, ''),
      Buffer.from(constants.MAGIC).toString('hex').toUpperCase(),
    );
    const bytes = encodeHello('agent', new Uint8Array(32).fill(9), { software: '' });
    const offsets = Object.fromEntries(
      hello.map(([offset, , field = '']) => [field.split(/[ ,:]/)[0], Number(offset)]),
    );
    assert.deepEqual(
      [
        bytes[offsets['role'] ?? -1],
        bytes[offsets['lowest'] ?? -1],
        bytes[offsets['highest'] ?? -1],
      ],
      [constants.Role.agent, constants.MAJOR_VERSION, constants.MAJOR_VERSION],
    );
    assert.equal(bytes[offsets['minor'] ?? -1], constants.MINOR_VERSION);
    assert.deepEqual([...bytes.subarray(offsets['nonce'], 44)], Array(32).fill(9));
    assert.equal(bytes.length, (offsets['attributes'] ?? 0) + 4);
    assert.equal(constants.FRAME_HEADER_BYTES, 1 + 3 + 4);
    assert.match(header, /\| 4 {6}\| 4 {4}\| stream id/);
  });

  it('agree on version, labels and bits', () => {
    const { MAJOR_VERSION, MINOR_VERSION, PROOF_LABEL } = constants;
    assert.ok(page.startsWith(`# The epmux protocol, version ${MAJOR_VERSION}.${MINOR_VERSION}\n`));
    for (const label of Object.values(PROOF_LABEL)) assert.ok(page.includes(`"${label}"`), label);
    assert.match(page, /Bit 7 of the type \(`0x80`\) marks \*\*optional\*\*/);
    assert.equal(constants.OPTIONAL_BIT, 0x80);
    assert.match(page, /Bit 6 \(`0x40`\) marks \*\*reliable\*\*/);
    assert.equal(constants.RELIABLE_BIT, 0x40);
    assert.match(page, /top bit set \(`0x8000`\) is _required_/);
    assert.equal(constants.REQUIRED_ATTRIBUTE_BIT, 0x8000);
  });
});
