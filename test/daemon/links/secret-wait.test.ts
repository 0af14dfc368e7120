import assert from 'node:assert/strict';
import { ownAgent } from '../../../src/daemon/links/agent-bundle.ts';
import { AgentSearch } from '../../../src/daemon/links/agent-search.ts';
import type { AgentWay } from '../../../src/daemon/links/agent-way.ts';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { Carrier } from '../../../src/transport/transport.ts';
import { ManualClock } from '../../support/manual-clock.ts';

describe('an attempt to attach that waits for the secret', () => {
  it('is over when its time is up', async () => {
    const carrier: Carrier = {
      label: 'a carrier',
      dial: undefined,
      exec: undefined,
      openAgentPipe: () => assert.fail('no secret is known yet'),
      onClosed: () => undefined,
      close: () => undefined,
    };
    const search = new AgentSearch({
      choice: 'auto',
      agent: {} as AgentWay,
      secret: () => new Promise(() => {}),
      epmdPort: 4369,
      bundle: ownAgent,
      inherited: undefined,
      clock: new ManualClock(),
      logger: silentLogger,
      onStep: () => undefined,
    });
    const late = new EpmuxError('TIMEOUT', 'no connection within 30 s');
    const attempt = new AbortController();
    search.foresee();
    const attaching = search.attach(carrier, attempt.signal);
    attempt.abort(late);
    await assert.rejects(attaching, late);
  });
});
