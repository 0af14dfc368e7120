import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import type { DaemonStatus, TunnelStatus } from '../../src/daemon/control/api.ts';
import { CliHome, type CliRun } from '../support/cli.ts';

export const leading = { epmdPort: 4711, inetrc: "/home/o'brien/inetrc" };
export const node = {
  name: 'app@dyno',
  dyno: null,
  address: '127.0.0.2',
  port: 4712,
  state: 'up',
} as const;
export const prod: TunnelStatus = {
  name: 'prod',
  target: 'tcp://localhost:9001',
  state: 'up',
  since: '2026-01-01T00:00:00.000Z',
  reconnects: 0,
  lastError: null,
  links: [],
  nodes: [node],
};
export const daemon = { pid: 1, version: '0.1.0', startedAt: '2026-01-01T00:00:00.000Z' };
export const upStatus: DaemonStatus = { daemon, tunnels: [prod] };

/** A home folder for each test of the suite it is called in. */
export function cliHome(): { readonly home: CliHome } {
  let home: CliHome | undefined;
  beforeEach(async () => {
    home = await CliHome.make();
  });
  afterEach(() => home?.remove());
  return {
    get home() {
      return home ?? assert.fail('there is none outside of a test');
    },
  };
}

export function assertError(run: CliRun, exit: number, code: string): void {
  assert.equal(run.code, exit, run.stderr);
  assert.match(run.stderr, new RegExp(`^epmux: .* \\(${code}\\)\nhint: .*\n$`));
}

/** The one JSON document on stdout. */
export function document(run: CliRun): unknown {
  return JSON.parse(run.stdout);
}

/** The processes that have this text in their environment; Linux alone tells. */
export function processesOf(text: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(text);
    } catch {
      // It has ended, or is another user's.
      return false;
    }
  });
}
