import assert from 'node:assert/strict';
import type { LinkState, Way } from '../../../src/daemon/control/api.ts';
import { type ExecTunnel, execOverTunnel } from '../../../src/daemon/exec/over-tunnel.ts';
import type { RemoteProcess } from '../../../src/transport/transport.ts';

const APP: Way = { kind: 'heroku', app: 'my-app', dynos: [] };
const SSH: Way = { kind: 'ssh', user: 'me', host: 'a', port: 22 };

/** A tunnel whose processes are called by their dynos. */
function tunnel(way: Way, ends: Record<string, LinkState>, via?: string): ExecTunnel {
  return {
    spec: { way, ...(via === undefined ? {} : { via }) },
    ends: Object.entries(ends).map(([name, state]) => ({
      dyno: { name: name === '' ? null : name },
      state,
      exec: async () => ({ name }) as unknown as RemoteProcess,
    })),
  };
}

async function dynoFor(tunnels: readonly ExecTunnel[], way: Way, dyno?: string, via?: string) {
  const params = {
    way: way.kind === 'heroku' && dyno !== undefined ? { ...way, dynos: [dyno] } : way,
    ...(via === undefined ? {} : { via }),
  };
  const exec = execOverTunnel(tunnels, params);
  const process = await exec({ command: 'x' }, new AbortController().signal);
  return (process as unknown as { name: string }).name;
}

describe('a command over a tunnel', () => {
  const all = tunnel(APP, { 'worker.1': 'up', 'web.10': 'up', 'web.2': 'up', 'web.1': 'up' });

  it('runs in web.1, or where it is told', async () => {
    assert.equal(await dynoFor([all], APP), 'web.1');
    assert.equal(await dynoFor([all], APP, 'worker.1'), 'worker.1');
    assert.equal(await dynoFor([all], APP, 'worker'), 'worker.1');
  });

  it('runs in the first that is up where there is no web.1', async () => {
    const some = tunnel(APP, { 'worker.1': 'up', 'web.10': 'up', 'web.2': 'up' });
    assert.equal(await dynoFor([some], APP), 'web.2');
    assert.equal(await dynoFor([some], APP, 'web'), 'web.2');
  });

  it('runs in no other dyno while the link to the one that is meant is away', async () => {
    for (const state of ['connecting', 'reconnecting', 'failed'] as const) {
      const some = tunnel(APP, { 'clock.1': 'up', 'web.1': state, 'web.2': 'up' });
      for (const dyno of [undefined, 'web', 'web.1']) {
        await assert.rejects(dynoFor([some], APP, dyno), { code: 'TUNNEL_NOT_FOUND' });
      }
      assert.equal(await dynoFor([some], APP, 'web.2'), 'web.2');
      const others = tunnel(APP, { 'worker.1': state, 'worker.2': 'up' });
      await assert.rejects(dynoFor([others], APP, 'worker'), { code: 'TUNNEL_NOT_FOUND' });
    }
  });

  it('runs on no dyno but the one that it would run on without a tunnel', async () => {
    const some = tunnel({ ...APP, dynos: ['worker.1'] }, { 'worker.1': 'up' });
    await assert.rejects(dynoFor([some], APP), { code: 'TUNNEL_NOT_FOUND' });
    await assert.rejects(dynoFor([some], APP, 'worker'), { code: 'TUNNEL_NOT_FOUND' });
    assert.equal(await dynoFor([some], APP, 'worker.1'), 'worker.1');
    assert.equal(await dynoFor([some, all], APP), 'web.1');
  });

  it('runs in one of several that are named, web.1 first', async () => {
    const way = { ...APP, dynos: ['worker', 'web'] } as const;
    assert.equal(await dynoFor([all], way), 'web.1');
    const ends = { 'worker.2': 'up', 'web.2': 'up' } as const;
    assert.equal(await dynoFor([tunnel(way, ends)], way), 'web.2');
    await assert.rejects(dynoFor([tunnel({ ...APP, dynos: ['web'] }, ends)], way), {
      code: 'TUNNEL_NOT_FOUND',
    });
  });

  it('goes over SSH to the same place alone', async () => {
    const ssh = tunnel(SSH, { '': 'up' });
    assert.equal(await dynoFor([all, ssh], SSH), '');
    for (const other of [{ ...SSH, user: 'you' }, { ...SSH, identityFile: '/k' }, APP]) {
      await assert.rejects(dynoFor([ssh], other), { code: 'TUNNEL_NOT_FOUND' });
    }
    await assert.rejects(dynoFor([ssh], SSH, undefined, 'socks5://p:1'), {
      code: 'TUNNEL_NOT_FOUND',
    });
    const proxied = tunnel(SSH, { '': 'up' }, 'socks5://p:1');
    assert.equal(await dynoFor([proxied], SSH, undefined, 'socks5://p:1'), '');
  });

  it('goes over no link that is not up', async () => {
    await assert.rejects(dynoFor([tunnel(SSH, { '': 'reconnecting' })], SSH), {
      code: 'TUNNEL_NOT_FOUND',
    });
  });
});
