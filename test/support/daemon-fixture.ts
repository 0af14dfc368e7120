/** A daemon in this process, on a state folder of the test's own. */
import { join } from 'node:path';
import type { TunnelSpec } from '../../src/daemon/control/api.ts';
import { ControlClient } from '../../src/daemon/control/client.ts';
import { createDynos } from '../../src/daemon/create-dynos.ts';
import { Daemon, type DaemonOptions } from '../../src/daemon/daemon.ts';
import { daemonLimits } from '../../src/daemon/limits.ts';
import { DaemonLog, logFileOptions } from '../../src/daemon/log.ts';
import { type DaemonPaths, daemonPaths } from '../../src/daemon/paths.ts';
import { systemClock } from '../../src/runtime/clock.ts';

export class DaemonFixture {
  readonly paths: DaemonPaths;
  readonly env: NodeJS.ProcessEnv;
  readonly #clients: ControlClient[] = [];
  #daemon: Daemon | undefined;

  constructor(folder: string, env: NodeJS.ProcessEnv = {}) {
    this.paths = daemonPaths({ EPMUX_HOME: join(folder, 'epmux') });
    this.env = { PATH: process.env['PATH'], HOME: folder, ...env };
  }

  async start(options: Partial<DaemonOptions> = {}): Promise<Daemon> {
    const { paths, env } = this;
    const limits = daemonLimits(env);
    const fileOptions = logFileOptions(limits);
    const log = new DaemonLog({ level: 'debug', file: paths.logFile, fileOptions });
    const clock = systemClock;
    this.#daemon = await Daemon.start({ paths, env, log, limits, clock, createDynos, ...options });
    return this.#daemon;
  }

  async client(): Promise<ControlClient> {
    const client = await ControlClient.connect(this.paths.controlSocket);
    this.#clients.push(client);
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.close();
    await this.#daemon?.stop('the test is over');
  }
}

export function connectSpec(port: number, more: Partial<TunnelSpec> = {}): TunnelSpec {
  return {
    name: 'prod',
    way: { kind: 'connect', host: '127.0.0.1', port },
    agent: 'auto',
    agentPort: 9001,
    hiddenOnly: false,
    ...more,
  };
}
