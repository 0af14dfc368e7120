import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createTransport, type TransportOptions } from '../../src/transport/create.ts';
import type { Way } from '../../src/transport/way.ts';
import { bridgeCommand, stillRuns } from '../support/bridge.ts';
import { SocksServer } from '../support/socks-server.ts';
import { startSshd } from '../support/sshd.ts';
import { until } from '../support/until.ts';
import { describeTransport } from './contract.ts';
import type { Rig } from './contract-support.ts';

const options: TransportOptions = {
  agentPort: 1,
  env: process.env,
  home: '/nonexistent',
  clock: systemClock,
  logger: silentLogger,
};

async function tcpRig(port: number, proxy?: SocksServer): Promise<Rig> {
  const way: Way = { kind: 'connect', host: '127.0.0.1', port };
  return {
    transport: createTransport(way, { ...options, via: proxy?.url }),
    lossCode: 'PIPE_LOST',
    sever: (far) => void far.resetAndDestroy(),
    allQuiet: () => until(() => proxy === undefined || proxy.connections === 0),
    stop: () => proxy?.stop(),
  };
}

async function sshRig(agentPort: number, proxy?: SocksServer): Promise<Rig> {
  const sshd = await startSshd();
  const home = join(sshd.folder, 'home');
  const way: Way = {
    kind: 'ssh',
    user: sshd.user,
    host: sshd.host,
    port: sshd.port,
    identityFile: sshd.identityFile,
  };
  const acceptHostKey = sshd.fingerprint;
  return {
    transport: createTransport(way, {
      ...options,
      agentPort,
      home,
      acceptHostKey,
      via: proxy?.url,
    }),
    lossCode: 'PIPE_LOST',
    sever: () => sshd.resetConnections(),
    allQuiet: () =>
      until(() => sshd.connections === 0 && (proxy === undefined || proxy.connections === 0)),
    stop: async () => {
      proxy?.stop();
      await sshd.stop();
    },
  };
}

async function commandRig(port: number): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), 'epmux-command-'));
  const pidFile = join(folder, 'pids');
  writeFileSync(pidFile, '');
  const command = `echo $$ >> '${pidFile}'; exec ${bridgeCommand(port)}`;
  const pids = (): number[] =>
    readFileSync(pidFile, 'utf8').split('\n').filter(Boolean).map(Number);
  return {
    transport: createTransport({ kind: 'command', command }, options),
    lossCode: 'COMMAND_FAILED',
    sever: () => void process.kill(-(pids().at(-1) ?? 0), 'SIGKILL'),
    allQuiet: () => until(() => !pids().some(stillRuns)),
    stop: () => rmSync(folder, { recursive: true }),
  };
}

describeTransport('tcp', (port) => tcpRig(port));
describeTransport('tcp through SOCKS', async (port) =>
  tcpRig(port, await SocksServer.start({ credentials: 'user:pass' })),
);
describeTransport('ssh', (port) => sshRig(port));
describeTransport('ssh through SOCKS', async (port) => sshRig(port, await SocksServer.start()));
describeTransport('a command', (port) => commandRig(port));
