import assert from 'node:assert/strict';
import type { DaemonStatus, NodeStatus, TunnelStatus } from '../../../src/daemon/control/api.ts';
import { MAX_LINE_BYTES } from '../../../src/daemon/control/wire.ts';
import { controlHandlers, type HandledDaemon } from '../../../src/daemon/handlers.ts';

const at = '2026-01-01T12:00:00.000Z';

/** Three bytes a character, and as long as a name may be. */
const longName = (index: number) => `${index}`.padEnd(250, '語');

function node(name: string): NodeStatus {
  const unreachable = `no name resolution leads to ${name}`;
  return { name, dyno: 'web.1', address: '127.0.0.1', port: 1, state: 'up', unreachable };
}

function tunnel(name: string, nodes: readonly NodeStatus[], text = 'reset'): TunnelStatus {
  const lastError = { code: 'PIPE_LOST', message: text, at } as const;
  const link = {
    dyno: 'web.1',
    mode: 'direct',
    agent: null,
    whyDirect: text,
    state: 'up',
  } as const;
  const figures = { rttMs: 1, bytesIn: 1, bytesOut: 1, streams: 1, resumes: 0, outageMs: 0 };
  const links = [{ ...link, ...figures, incarnation: null }];
  return { name, target: 't', state: 'up', since: at, reconnects: 0, lastError, links, nodes };
}

/** What the daemon answers for tunnels that are so. */
function status(...tunnels: readonly TunnelStatus[]): DaemonStatus {
  const all = tunnels.map((one) => ({ spec: { name: one.name }, status: () => one }));
  const daemon = { tunnels: { all }, startedAt: at, problems: [], supervised: undefined };
  const handlers = controlHandlers(daemon as unknown as HandledDaemon);
  return handlers.status.run({}, {} as never) as DaemonStatus;
}

const bytesOf = (told: DaemonStatus) => Buffer.byteLength(JSON.stringify(told));

describe('what the status tells of tunnels', () => {
  it('is all where there is room', () => {
    const tunnels = [tunnel('a', [node('app@dyno')]), tunnel('b', [])];
    assert.deepEqual(status(...tunnels).tunnels, tunnels);
  });

  it('fits into a line however many nodes a dyno names, and leaves out none of a tunnel with few', () => {
    const many = Array.from({ length: 2_000 }, (_, index) => node(longName(index)));
    const told = status(tunnel('hostile', many), tunnel('honest', [node('app@dyno')]));
    assert.ok(bytesOf(told) <= MAX_LINE_BYTES);
    const [hostile, honest] = told.tunnels;
    assert.ok(hostile !== undefined && hostile.nodes.length > 100);
    assert.equal(hostile.nodes.length + (hostile.nodesLeftOut ?? 0), 2_000);
    assert.deepEqual(honest, tunnel('honest', [node('app@dyno')]));
  });

  it('fits into a line whatever texts dynos say', () => {
    const text = '\u0001'.repeat(65_536);
    const cut = {
      ...node('app@dyno'),
      lastCut: { code: 'NODE_STALLED', message: text, at },
    } as const;
    const told = status(...['a', 'b', 'c'].map((name) => tunnel(name, [cut], text)));
    assert.ok(bytesOf(told) <= MAX_LINE_BYTES);
    assert.deepEqual(
      told.tunnels.map(({ nodes }) => nodes.length),
      [1, 1, 1],
    );
  });
});
