import { withoutSecrets } from '../../runtime/environment.ts';
import { enterableHome } from '../../runtime/home.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { createDialer, createTransport } from '../../transport/create.ts';
import { endCommands } from '../../transport/process-group.ts';
import type { Carrier, Transport } from '../../transport/transport.ts';
import type { PlainWay } from '../../transport/way.ts';
import { runChecks } from './check.ts';
import { diagnoseDyno, type WayChecks } from './dyno-way.ts';
import { type HostContext, PORT_CHECKS, resolveHost, SSH_CHECKS } from './ssh.ts';

/** `--ssh`, `--connect` and `--command`: what is on the way, then what answers at its end. */
export async function diagnosePlain(way: PlainWay, checks: WayChecks): Promise<void> {
  const { round, target } = checks;
  const transport = plainTransport(way, checks);
  if (way.kind === 'command') {
    await visit(transport.connect(round.signal), checks);
    return;
  }
  const { via } = target.spec;
  const context: HostContext = {
    address: { host: way.host, port: way.port },
    isProxied: via !== undefined,
    resolve: resolveHost,
    dial: createDialer(via, round.clock),
    transport,
  };
  const isWhole = await runChecks(way.kind === 'ssh' ? SSH_CHECKS : PORT_CHECKS, context, round);
  const attempt = context.attempt ?? (isWhole ? transport.connect(round.signal) : undefined);
  if (isWhole && attempt !== undefined) await visit(attempt, checks);
  // One that came too late for its check.
  else attempt?.then((carrier) => carrier.close()).catch(() => undefined);
}

function plainTransport(way: PlainWay, { target, given, env, round }: WayChecks): Transport {
  const { via, agentPort } = target.spec;
  const { sshAuthSock } = given;
  return createTransport(way, {
    agentPort,
    via,
    sshAuthSock,
    env: withoutSecrets(env),
    folder: enterableHome(env),
    clock: round.clock,
    logger: silentLogger,
  });
}

async function visit(connecting: Promise<Carrier>, checks: WayChecks): Promise<void> {
  const carrier = await connecting;
  try {
    await diagnoseDyno(carrier, {}, checks);
  } finally {
    carrier.close();
    await endCommands();
  }
}
