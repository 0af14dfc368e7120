/**
 * From a dial to the first byte out of a port behind an SSH server, again and again. Arguments:
 * folder of the keys, port. Prints milliseconds as JSON.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { directDialer } from '../../src/transport/dial.ts';
import { registeredKey } from '../../src/transport/ssh/identities.ts';
import { sshTransport } from '../../src/transport/ssh/transport.ts';
import { PacketPath } from './path.ts';

const [folder = '', port = '', rounds = ''] = process.argv.slice(2);
const signal = new AbortController().signal;
const transport = sshTransport({
  target: 'the dyno',
  address: { host: PacketPath.DYNO, port: 22 },
  user: 'root',
  agentPort: Number(port),
  dial: directDialer(systemClock),
  hostKeys: async () => ({ algorithms: ['rsa-sha2-512'], verify: async () => undefined }),
  identities: registeredKey(readFileSync(join(folder, 'key'), 'utf8'), 'the key'),
  clock: systemClock,
  logger: silentLogger,
});
const taken: number[] = [];
// The first one finds the code cold.
for (let round = 0; round <= Number(rounds); round += 1) {
  const start = performance.now();
  const carrier = await transport.connect(signal, () => ({ agentPort: undefined }));
  const pipe = await carrier.openAgentPipe(signal);
  await new Promise<void>((onBytes) => {
    const idle = { onWritable: () => undefined, onEnd: () => undefined, onClosed: () => undefined };
    pipe.start({ ...idle, onBytes: () => onBytes() });
  });
  if (round > 0) taken.push(performance.now() - start);
  carrier.close();
  await delay(200);
}
process.stdout.write(JSON.stringify(taken));
process.exit(0);
