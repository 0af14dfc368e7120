/**
 * What epmux does with Heroku, as a process of its own, for only at its start Node takes
 * NODE_EXTRA_CA_CERTS. Arguments: app, dyno. Prints one JSON document: what it found, or the error.
 */
import { herokuClient } from '../../src/heroku/client.ts';
import { herokuTransport } from '../../src/heroku/exec-transport.ts';
import { requireRunning } from '../../src/heroku/formation.ts';
import { sshKeysOnce } from '../../src/heroku/keys.ts';
import { addonUrlOf, preflight } from '../../src/heroku/preflight.ts';
import { herokuSettings } from '../../src/heroku/settings.ts';
import { EpmuxError } from '../../src/protocol/errors.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { directDialer } from '../../src/transport/dial.ts';
import { own } from '../support/recording-pipe.ts';

const [, , app = '', dyno = ''] = process.argv;
const base = { clock: systemClock, logger: silentLogger };
const never = new AbortController().signal;

async function visit(): Promise<unknown> {
  const client = herokuClient({
    ...base,
    app,
    settings: herokuSettings(process.env),
    proxy: undefined,
    apiKey: process.env['HEROKU_API_KEY'],
    home: process.env['HOME'] ?? '',
  });
  const { facts, dynos } = await preflight(client.platform, never);
  const wanted = requireRunning(app, dynos, [dyno]);
  const manager = client.manager(addonUrlOf(facts));
  const registered = await manager.list(never);
  const transport = herokuTransport({
    ...base,
    app,
    dyno: wanted[0]?.name ?? '',
    manager,
    keys: sshKeysOnce(),
    dial: directDialer(systemClock),
    agentPort: 9_001,
  });
  const carrier = await transport.connect(never);
  const remote = await carrier.exec?.({ command: 'hostname; exit 7' }, never);
  if (remote === undefined) throw new Error('no exec');
  const owner = own(remote.io);
  await owner.called('closed');
  carrier.close();
  return {
    wanted: wanted.map(({ name, id }) => ({ name, id })),
    registered,
    hostName: owner.text.trim(),
    exit: await remote.exited,
  };
}

const result = await visit().catch((error: unknown) => {
  if (!(error instanceof EpmuxError)) throw error;
  return { code: error.code, message: error.message };
});
process.stdout.write(JSON.stringify(result));
