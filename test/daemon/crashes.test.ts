import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { hasReported, lastCrash, reportCrash } from '../../src/daemon/crashes.ts';
import { type DaemonPaths, daemonPaths, ensureFolders } from '../../src/daemon/paths.ts';
import { Redactor } from '../../src/daemon/redact.ts';
import { VERSION } from '../../src/runtime/version.ts';
import { tempFolder } from '../support/temp-folder.ts';

const NOON = Date.UTC(2026, 0, 2, 12);
const DEATH = { pid: 42, reason: 'killed by SIGKILL', startedAt: NOON - 60_000, at: NOON };

describe('the report of a crash', () => {
  const folder = tempFolder();
  let paths: DaemonPaths;
  let redactor: Redactor;
  beforeEach(() => {
    paths = daemonPaths({ EPMUX_HOME: folder.path });
    ensureFolders(paths);
    redactor = new Redactor();
  });

  it('says what happened, and what was logged last', () => {
    writeFileSync(
      paths.logFile,
      `${Array.from({ length: 60 }, (_, n) => `line ${n}`).join('\n')}\n`,
    );
    writeFileSync(paths.stderrFile, 'FATAL ERROR: out of memory\n');
    const file = reportCrash(paths, DEATH, redactor) ?? '';
    const { log, ...report } = JSON.parse(readFileSync(file, 'utf8'));
    assert.deepEqual(report, {
      at: '2026-01-02T12:00:00.000Z',
      startedAt: '2026-01-02T11:59:00.000Z',
      reason: 'killed by SIGKILL',
      pid: 42,
      version: VERSION,
      node: process.version,
      stderr: ['FATAL ERROR: out of memory'],
    });
    assert.deepEqual([log.length, log[0], log.at(-1)], [50, 'line 10', 'line 59']);
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  it('holds no secret, wherever it comes from', () => {
    redactor.add('the cookie');
    writeFileSync(paths.logFile, 'socks5://me:hidden@proxy with the cookie\n');
    writeFileSync(paths.stderrFile, 'the cookie\n');
    const crash = { ...DEATH, reason: 'Error: the cookie', stack: 'Error: the cookie\n  at x' };
    const text = readFileSync(reportCrash(paths, crash, redactor) ?? '', 'utf8');
    assert.doesNotMatch(text, /the cookie|hidden/);
  });

  it('stays when it is written, also where the clock was set back', () => {
    for (let minute = 0; minute < 5; minute += 1) {
      reportCrash(paths, { ...DEATH, at: NOON + minute * 60_000 }, redactor);
    }
    const file = reportCrash(paths, { ...DEATH, at: NOON - 3_600_000 }, redactor) ?? '';
    assert.match(readFileSync(file, 'utf8'), /T11:00:00/);
    assert.equal(readdirSync(paths.crashesDir).length, 5);
  });

  it('is there for the last five', () => {
    for (let minute = 0; minute < 8; minute += 1) {
      reportCrash(paths, { ...DEATH, at: NOON + minute * 60_000 }, redactor);
    }
    const names = readdirSync(paths.crashesDir).sort();
    assert.equal(names.length, 5);
    assert.match(names[0] ?? '', /T12-03-00/);
    assert.deepEqual(lastCrash(paths.crashesDir), {
      at: '2026-01-02T12:07:00.000Z',
      reason: 'killed by SIGKILL',
      report: `${paths.crashesDir}/${names.at(-1)}`,
    });
  });

  it('is told from one that a process with the same pid left earlier', () => {
    reportCrash(paths, DEATH, redactor);
    assert.equal(hasReported(paths.crashesDir, 42, NOON - 1), true);
    assert.equal(hasReported(paths.crashesDir, 42, NOON + 1), false);
    assert.equal(hasReported(paths.crashesDir, 43, NOON - 1), false);
  });

  it('is done without where it can not be written or read', () => {
    assert.equal(lastCrash(paths.crashesDir), null);
    writeFileSync(paths.crashesDir, 'a file is in the way');
    assert.equal(reportCrash(paths, DEATH, redactor), undefined);
    assert.equal(lastCrash(paths.crashesDir), null);
  });

  it('is nothing when it is garbage', () => {
    mkdirSync(paths.crashesDir);
    writeFileSync(`${paths.crashesDir}/2026-01-02T12-00-00.000Z-42.json`, '{"at":7}');
    assert.equal(lastCrash(paths.crashesDir), null);
    assert.equal(hasReported(paths.crashesDir, 42, 0), false);
  });
});
