import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connectDaemon } from '../../src/daemon/control/client.ts';
import { lastCrash } from '../../src/daemon/crashes.ts';
import { daemonPaths } from '../../src/daemon/paths.ts';
import { AgentEnd } from '../support/agent-end.ts';
import { connectSpec } from '../support/daemon-fixture.ts';
import { EPMUX } from '../support/dyno.ts';
import { freePort } from '../support/erlang.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SECRET = 'a secret of sixteen bytes';
const FAULT = `process.on('SIGUSR2', () => { throw new TypeError('broken: ${SECRET}'); })`;

describe('an error in the daemon that nothing catches', function () {
  this.timeout(30_000);
  const folder = tempFolder();
  let agent: AgentEnd;
  let daemon: ChildProcess;
  let said: string;

  beforeEach(async () => {
    agent = await AgentEnd.start({ secret: SECRET, nodes: { 'app@dyno': await freePort() } });
    const [node = '', ...args] = EPMUX;
    const fault = `data:text/javascript,${encodeURIComponent(FAULT)}`;
    daemon = spawn(node, ['--import', fault, ...args, 'daemon'], {
      env: { PATH: process.env['PATH'], HOME: folder.path, EPMUX_HOME: folder.path },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    said = '';
    daemon.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
    });
  });
  afterEach(async () => {
    daemon.kill('SIGKILL');
    await agent.kill();
  });

  it('ends it, and leaves a report with its stack and what was logged last, but no secret', async () => {
    const paths = daemonPaths({ EPMUX_HOME: folder.path });
    for (;;) {
      const client = await connectDaemon(paths).catch(() => undefined);
      if (client === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        continue;
      }
      await client.call('up', { spec: connectSpec(agent.port), secrets: { secret: SECRET } });
      client.close();
      break;
    }
    daemon.kill('SIGUSR2');
    const [code] = await once(daemon, 'close');
    assert.equal(code, 1);
    const crash = lastCrash(paths.crashesDir);
    assert.equal(crash?.reason, 'TypeError: broken: [redacted]');
    const report = readFileSync(crash?.report ?? '', 'utf8');
    assert.match(report, /"stack": "TypeError: broken: .*\\n {4}at /);
    assert.match(report, /attached to the agent/);
    assert.match(said, /the daemon failed: TypeError: broken: \[redacted\]/);
    for (const text of [report, said, readFileSync(paths.logFile, 'utf8')]) {
      assert.equal(text.includes(SECRET), false);
    }
  });
});
