import assert from 'node:assert/strict';
import { asEpmuxError, errorDocument, errorLines } from '../../src/cli/report.ts';
import { alignColumns } from '../../src/cli/terminal/columns.ts';
import { printable } from '../../src/cli/terminal/printable.ts';
import { renderNodes, renderStatus } from '../../src/cli/terminal/status-view.ts';
import { isStylish, type Paint, paintFor, plain } from '../../src/cli/terminal/style.ts';
import { count, formatBytes, formatDuration, formatRtt } from '../../src/cli/terminal/units.ts';
import type { DaemonStatus } from '../../src/daemon/control/api.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { jsonText } from '../../src/protocol/text.ts';

describe('columns', () => {
  it('stand under each other and end without blanks', () => {
    const rows = [
      ['a', 'bb', ''],
      ['ccc', 'd'],
    ];
    assert.deepEqual(alignColumns(rows), ['a    bb', 'ccc  d']);
  });

  it('do not count colour as width', () => {
    assert.deepEqual(
      alignColumns([
        ['\u001b[32mup\u001b[39m', 'x'],
        ['down', 'y'],
      ]),
      ['\u001b[32mup\u001b[39m    x', 'down  y'],
    );
  });

  it('are none without rows', () => {
    assert.deepEqual(alignColumns([]), []);
  });
});

describe('units', () => {
  it('of bytes', () => {
    const cases: [number, string][] = [
      [0, '0 B'],
      [1_023, '1023 B'],
      [1_024, '1.0 KiB'],
      [1_536_000, '1.5 MiB'],
      [500 * 1_048_576, '500 MiB'],
      [2 ** 50, '1024 TiB'],
    ];
    for (const [bytes, text] of cases) assert.equal(formatBytes(bytes), text);
  });

  it('of time', () => {
    const cases: [number, string][] = [
      [-5, '0 ms'],
      [340, '340 ms'],
      [1_000, '1 s'],
      [89_000, '89 s'],
      [90_000, '2 min'],
      [3 * 3_600_000, '3 h'],
      [48 * 3_600_000, '2 d'],
    ];
    for (const [ms, text] of cases) assert.equal(formatDuration(ms), text);
    assert.equal(formatRtt(1.24), '1.2 ms');
    assert.equal(formatRtt(52.4), '52 ms');
  });

  it('of things', () => {
    assert.equal(count(1, 'stream'), '1 stream');
    assert.equal(count(0, 'stream'), '0 streams');
  });
});

describe('text from elsewhere', () => {
  it('can not move the cursor, colour or ring', () => {
    assert.equal(printable('a\u001b[2Jb\u0007c\u009bd'), 'a\ufffd[2Jb\ufffdc\ufffdd');
  });

  it('stays on its line', () => {
    assert.equal(printable('one\r\n  two\nthree'), 'one two three');
  });
});

describe('colour', () => {
  const terminal = { isTTY: true };

  it('is for terminals', () => {
    assert.equal(paintFor(terminal, {})('red', 'x'), '\u001b[31mx\u001b[39m');
    assert.equal(paintFor({}, {})('red', 'x'), 'x');
  });

  it('keeps away under NO_COLOR, CI and on a dumb terminal', () => {
    for (const env of [{ NO_COLOR: '1' }, { CI: 'true' }, { TERM: 'dumb' }]) {
      assert.equal(isStylish(terminal, env), false);
    }
    assert.equal(isStylish(terminal, { NO_COLOR: '', TERM: 'xterm' }), true);
  });
});

const NOW = Date.parse('2026-01-01T12:00:00.000Z');
const before = (ms: number) => new Date(NOW - ms).toISOString();
const daemon = { pid: 1, version: '0.1.0', startedAt: before(9e6) };
const link = {
  dyno: null,
  mode: 'agent',
  agent: 'listening',
  whyDirect: null,
  state: 'up',
  rttMs: 24.4,
  bytesIn: 1_536,
  bytesOut: 20,
  streams: 1,
  resumes: 2,
  outageMs: 41_000,
  incarnation: 'ab',
} as const;
const node = {
  name: 'app@dyno',
  dyno: null,
  address: '127.0.0.2',
  port: 4711,
  state: 'up',
} as const;
const status: DaemonStatus = {
  daemon,
  tunnels: [
    {
      name: 'prod',
      target: 'ssh://deploy@example.com:22',
      state: 'up',
      since: before(12 * 60_000),
      reconnects: 2,
      lastError: { code: 'PIPE_LOST', message: 'reset by peer', at: before(240_000) },
      links: [link],
      nodes: [node, { ...node, name: 'worker@dyno', port: 4712, state: 'stale' }],
    },
    {
      name: 'staging',
      target: 'tcp://localhost:9001',
      state: 'failed',
      since: before(5_000),
      reconnects: 0,
      lastError: null,
      links: [],
      nodes: [{ ...node, unreachable: 'another tunnel has its name' }],
    },
  ],
};

describe('status', () => {
  it('is a line for each tunnel with what belongs to it below', () => {
    assert.deepEqual(renderStatus(status, plain, NOW), [
      'prod  up for 12 min  ssh://deploy@example.com:22  2 reconnects',
      '  link  up  agent  rtt 24 ms  1 stream  1.5 KiB in  20 B out  2 resumes, 41 s away',
      '  node  app@dyno     127.0.0.2:4711',
      '  node  worker@dyno  127.0.0.2:4712  stale',
      '  last error  reset by peer (PIPE_LOST), 4 min ago',
      '',
      'staging  failed for 5 s  tcp://localhost:9001',
      '  node  app@dyno  127.0.0.2:4711    another tunnel has its name',
    ]);
  });

  it('tells a pushed agent from one that was there, and why there is none', () => {
    const [prod] = status.tunnels;
    assert.ok(prod !== undefined);
    const links = [
      { ...link, dyno: 'web.1', agent: 'pushed' },
      { ...link, dyno: 'web.2', mode: 'direct', agent: null, whyDirect: 'no Node\u0007' },
    ] as const;
    const lines = renderStatus({ daemon, tunnels: [{ ...prod, links }] }, plain, NOW);
    assert.match(lines[1] ?? '', /^ {2}web\.1 {2}up {2}pushed agent {2}rtt 24 ms .* away$/);
    assert.match(
      lines[2] ?? '',
      /^ {2}web\.2 {2}up {2}direct {8}rtt 24 ms .* away {2}no Node\ufffd$/,
    );
  });

  it('says how many nodes are left out', () => {
    const [prod] = status.tunnels;
    assert.ok(prod !== undefined);
    const told = { daemon, tunnels: [{ ...prod, nodesLeftOut: 2 }] };
    assert.equal(renderStatus(told, plain, NOW)[4], '  and 2 more nodes');
  });

  it('tells of a crash for a day', () => {
    const crashed = (ago: number, restarts: number) => {
      const lastCrash = { at: before(ago), reason: 'killed by SIGKILL', report: '/c/r.json' };
      return renderStatus({ daemon: { ...daemon, restarts, lastCrash }, tunnels: [] }, plain, NOW);
    };
    assert.equal(
      crashed(180_000, 2)[0],
      'daemon  started again 2 times; its last crash, 3 min ago: killed by SIGKILL (/c/r.json)',
    );
    assert.match(crashed(180_000, 0)[0] ?? '', /^daemon {2}its last crash, 3 min ago/);
    assert.deepEqual(crashed(25 * 3_600_000, 2), ['no tunnel is up']);
  });

  it('says when there is none, and what troubles the daemon', () => {
    assert.deepEqual(renderStatus({ daemon, tunnels: [] }, plain, NOW), ['no tunnel is up']);
    const troubled = { daemon: { ...daemon, problems: ['the disk is full'] }, tunnels: [] };
    assert.deepEqual(renderStatus(troubled, plain, NOW), [
      'daemon  the disk is full',
      '',
      'no tunnel is up',
    ]);
  });

  it('colours states alone, and the same text remains without', () => {
    const marked: Paint = (style, text) => (style === 'red' ? `<${text}>` : text);
    const lines = renderStatus(status, marked, NOW);
    assert.ok(lines.includes('staging  <failed> for 5 s  tcp://localhost:9001'));
  });

  it('lets no node and no message write to the terminal', () => {
    const evil = { ...node, name: 'app@\u001b]0;x\u0007' };
    assert.doesNotMatch(renderNodes([evil], plain).join(''), /\p{Cc}/u);
  });

  it('is one document that no name in it can write to the terminal by', () => {
    const name = 'app@\u001b]0;x\u0007\u009b2J\u007f\u202e\u2066\u2028\u{E0041}\n';
    const told = { nodes: [{ ...node, name }] };
    const text = jsonText(told);
    assert.deepEqual(JSON.parse(text), told);
    for (const line of text.split('\n')) assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}]/u);
    assert.match(text, /^\{\n {2}"nodes": \[\n {4}\{\n {6}"name": /);
  });
});

describe('an error', () => {
  const error = new EpmuxError('TUNNEL_NOT_FOUND', 'no tunnel x', { hint: 'name another' });

  it('is what, code and hint', () => {
    assert.deepEqual(errorLines(error, plain, false), [
      'epmux: no tunnel x (TUNNEL_NOT_FOUND)',
      'hint: name another',
    ]);
    assert.deepEqual(errorDocument(error), {
      error: { code: 'TUNNEL_NOT_FOUND', message: 'no tunnel x', hint: 'name another' },
    });
  });

  it('shows where it came from when asked, its causes too', () => {
    const deep = new EpmuxError('INTERNAL', 'outer', { cause: new Error('inner') });
    const text = errorLines(deep, plain, true).join('\n');
    assert.match(text, /EpmuxError: outer\n\s+at [\s\S]*Error: inner\n\s+at /);
  });

  it('writes nothing to the terminal, its stack neither', () => {
    const evil = 'two nodes: \u001b]52;c;x\u0007, \u202eb@x\r\n\u009b2J';
    const error = new EpmuxError('NODE_AMBIGUOUS', evil, { cause: new Error(evil) });
    for (const line of errorLines(error, plain, true)) {
      assert.doesNotMatch(line, /[\p{Cc}\p{Cf}]/u);
    }
  });

  it('of another kind is INTERNAL', () => {
    assert.equal(asEpmuxError(new TypeError('oops')).code, 'INTERNAL');
    assert.equal(asEpmuxError('oops').message, 'oops');
    assert.equal(asEpmuxError(error), error);
  });

  it('of the system has a code of ours', () => {
    const full = Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
    assert.equal(asEpmuxError(full).code, 'DISK_FULL');
  });
});
