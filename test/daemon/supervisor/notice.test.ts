import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ServiceNotice } from '../../../src/daemon/supervisor/notice.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { RecordingLogger } from '../../support/recording-logger.ts';
import { tempFolder } from '../../support/temp-folder.ts';

describe('what systemd is told, with a systemd-notify that only writes it down', () => {
  const folder = tempFolder();
  let clock: ManualClock;
  let logger: RecordingLogger;
  beforeEach(() => {
    clock = new ManualClock();
    logger = new RecordingLogger();
    const tool = join(folder.path, 'systemd-notify');
    writeFileSync(tool, `#!/bin/sh\necho "$*" >> '${folder.path}/said'\n`);
    chmodSync(tool, 0o755);
  });

  const notice = (env: Record<string, string>) =>
    new ServiceNotice({ env: { PATH: folder.path, ...env }, clock, logger });
  const said = async (lines: number): Promise<string[]> => {
    const file = join(folder.path, 'said');
    for (;;) {
      const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
      if (text.split('\n').length > lines) return text.trim().split('\n');
      await delay(20);
    }
  };

  it('is that the daemon is ready, once it answers, and every 40 s that it still does', async () => {
    const service = notice({ NOTIFY_SOCKET: '/run/x' });
    service.onAlive();
    assert.deepEqual(await said(1), ['--ready']);
    for (let at = 0; at < 13; at += 1) {
      clock.advance(3_000);
      service.onAlive();
    }
    clock.advance(1_000);
    service.onAlive();
    assert.deepEqual(await said(2), ['--ready', 'WATCHDOG=1']);
  });

  it('is nothing where nobody wants to know', () => {
    notice({}).onAlive();
    clock.advance(40_000);
    assert.equal(existsSync(join(folder.path, 'said')), false);
  });

  it('can not be told without the tool, and that is logged', async () => {
    notice({ NOTIFY_SOCKET: '/run/x', PATH: '/nowhere' }).onAlive();
    while (logger.lines.length === 0) await delay(20);
    assert.ok(logger.has('ENOENT'), logger.lines[0]);
  });
});
