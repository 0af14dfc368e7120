import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { abandonSession, Flood } from '../../scripts/bounds/abandoned.ts';
import { peakMib } from '../../scripts/bounds/usage.ts';
import { AgentProcess } from '../support/agent-process.ts';
import { DaemonEnd } from '../support/daemon-end.ts';
import { freePort } from '../support/erlang.ts';
import { leaveOut } from '../support/left-out.ts';

const SECRET = 'the secret that both ends know';
const SESSIONS = 30;
const STREAMS_EACH = 10;
/** Each stream holds its buffer and a write or more; so many of them fit. */
const HELD_MIB = 16;
const MIN_HELD_MIB = (STREAMS_EACH * 256) / 1_024;
/** An empty Node has 40 to 50, and collects what was let go of when it likes. */
const MAX_RESIDENT_MIB = 200;

const linux = existsSync('/proc/self/status');

describe(`the memory of an agent`, function () {
  this.timeout(60_000);

  it('stays within its bound when session after session is abandoned with much on its way', async function () {
    if (!linux) leaveOut(this, 'there is no /proc');
    const flood = await Flood.start();
    const epmd = String(await freePort());
    const limit = ['--limit', `held-bytes=${HELD_MIB * 1_024 * 1_024}`];
    const allow = ['--allow', `flood=${flood.port}`];
    const args = ['--port', '0', '--epmd-port', epmd, ...limit, ...allow];
    const agent = await AgentProcess.start(args, { env: { EPMUX_SECRET: SECRET } });
    try {
      const [, found] = await agent.said('stderr', /listening address=127\.0\.0\.1:(\d+)/);
      const port = Number(found);
      for (let at = 0; at < SESSIONS; at += 1) await abandonSession(SECRET, port, STREAMS_EACH);
      await agent.said('stderr', /a session without a connection is given up .*all sessions/);
      const most = Math.ceil(HELD_MIB / MIN_HELD_MIB) * STREAMS_EACH;
      await flood.fewerThan(most + 1);
      assert.ok(peakMib(agent.pid) < MAX_RESIDENT_MIB, `${peakMib(agent.pid)} MiB`);

      const fresh = new DaemonEnd(SECRET);
      await fresh.dial(port);
      await fresh.until('attached', () => fresh.attachments[0]);
      fresh.socket?.destroy();
    } finally {
      await agent.kill();
      flood.stop();
    }
  });
});
