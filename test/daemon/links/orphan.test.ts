import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { AgentWay } from '../../../src/daemon/links/agent-way.ts';
import { Orphans } from '../../../src/daemon/links/orphan.ts';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { duplexPipe } from '../../../src/runtime/socket-pipe.ts';
import { SESSION_DEFAULTS } from '../../../src/session/config.ts';
import { Session } from '../../../src/session/session.ts';
import { AgentEnd } from '../../support/agent-end.ts';

const SECRET = 'a secret of sixteen bytes';

describe('a session that a worker left behind', () => {
  const ways: AgentWay[] = [];
  let agent: AgentEnd;
  beforeEach(async () => {
    agent = await AgentEnd.start({ secret: SECRET });
  });
  afterEach(async () => {
    for (const way of ways.splice(0)) await way.close();
    await agent.kill();
  });

  const pipe = () => duplexPipe(connect({ port: agent.port, host: '127.0.0.1' }), 'agent');
  const orphans = (...sessions: string[]) =>
    new Orphans({ sessions, clock: systemClock, logger: silentLogger });
  const begin = async (): Promise<string> => {
    const way = new AgentWay({
      createSession: (id) => new Session('daemon', SESSION_DEFAULTS, id, systemClock.now()),
      helloMs: 10_000,
      clock: systemClock,
      logger: silentLogger,
      events: { onDirectory: () => undefined },
    });
    ways.push(way);
    await way.attach(pipe(), Buffer.from(SECRET), new AbortController().signal);
    return way.sessionId ?? assert.fail();
  };

  it('is ended by its id alone, with its streams, although its pipe may still be there', async () => {
    const sessions = [await begin(), await begin()];
    const left = orphans(...sessions);
    await left.end(async () => pipe(), SECRET);
    assert.equal(agent.goodbyes, 2);
    assert.deepEqual(left.left, []);
  });

  it('is done with when the agent knows nothing of it', async () => {
    const left = orphans(randomBytes(16).toString('hex'));
    await left.end(async () => pipe(), SECRET);
    assert.deepEqual(left.left, []);
    assert.equal(agent.goodbyes, 0);
  });

  it('is given up when another agent is there, and kept while none can be reached', async () => {
    const id = await begin();
    const other = orphans(id);
    await other.end(async () => pipe(), 'not the secret of this agent');
    assert.deepEqual(other.left, []);
    const away = orphans(id);
    await away.end(() => Promise.reject(new EpmuxError('PIPE_LOST', 'cut')), SECRET);
    assert.deepEqual(away.left, [id]);
    assert.equal(agent.goodbyes, 0);
  });
});
