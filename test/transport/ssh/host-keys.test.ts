import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { EpmuxError } from '../../../src/protocol/errors.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createTransport } from '../../../src/transport/create.ts';
import { FarEnd } from '../../support/far-end.ts';
import { RecordingLogger } from '../../support/recording-logger.ts';
import { own } from '../../support/recording-pipe.ts';
import { fingerprintOf, makeKey, startSshd, type TestSshd } from '../../support/sshd.ts';
import { until } from '../../support/until.ts';
import { connectTo } from './support.ts';

describe('the host key of an SSH server', () => {
  let sshd: TestSshd;
  let home: string;
  let file: string;

  before(async () => {
    sshd = await startSshd({ hostKeys: ['ed25519', 'ecdsa', 'rsa'] });
  });
  beforeEach(() => {
    home = mkdtempSync(join(sshd.folder, 'home-'));
    file = join(home, '.ssh', 'known_hosts');
  });
  afterEach(() => until(() => sshd.connections === 0));
  after(() => sshd.stop());

  /** Connects, and leaves at once. */
  const visit = async (acceptHostKey?: string, logger = new RecordingLogger()): Promise<void> => {
    const carrier = await connectTo(sshd, { home, acceptHostKey, logger });
    carrier.close();
  };
  const write = (text: string): void => {
    mkdirSync(join(home, '.ssh'), { mode: 0o700 });
    writeFileSync(file, text);
  };
  const hostKey = (type: string): string =>
    readFileSync(join(sshd.folder, `host_${type}.pub`), 'utf8')
      .split(' ')
      .slice(0, 2)
      .join(' ');
  const lineOf = (type: string): string => `[127.0.0.1]:${sshd.port} ${hostKey(type)}`;

  it('is asked about when it is new, with all that a person has to compare', async () => {
    await assert.rejects(visit(), (error) => {
      assert.ok(error instanceof EpmuxError);
      assert.equal(error.code, 'HOST_KEY_UNKNOWN');
      assert.deepEqual(error.details, {
        host: `[127.0.0.1]:${sshd.port}`,
        keyType: 'ssh-ed25519',
        fingerprint: sshd.fingerprint,
      });
      for (const fact of Object.values(error.details)) assert.ok(error.message.includes(fact));
      return true;
    });
    assert.ok(!existsSync(file));
  });

  it('is written down once a person accepts it, for ssh to read', async () => {
    await visit(sshd.fingerprint);
    assert.equal(readFileSync(file, 'utf8'), `${lineOf('ed25519')}\n`);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(statSync(join(home, '.ssh')).mode & 0o777, 0o700);
    execFileSync('ssh-keygen', ['-F', `[127.0.0.1]:${sshd.port}`, '-f', file], { stdio: 'ignore' });
    await visit();
    await visit(sshd.fingerprint);
    assert.equal(readFileSync(file, 'utf8'), `${lineOf('ed25519')}\n`);
  });

  it('is asked about again when its line was removed, whether it was written or found there', async () => {
    const way = {
      kind: 'ssh' as const,
      user: sshd.user,
      host: sshd.host,
      port: sshd.port,
      identityFile: sshd.identityFile,
    };
    const kept: string[] = [];
    const transport = () =>
      createTransport(way, {
        agentPort: 1,
        acceptHostKey: sshd.fingerprint,
        onHostKeyKept: (fingerprint) => kept.push(fingerprint),
        env: {},
        home,
        clock: systemClock,
        logger: new RecordingLogger(),
      });
    const { signal } = new AbortController();
    const [writes, finds] = [transport(), transport()];
    for (const each of [writes, finds]) (await each.connect(signal)).close();
    assert.deepEqual(kept, [sshd.fingerprint, sshd.fingerprint]);
    rmSync(file);
    for (const each of [writes, finds]) {
      await assert.rejects(each.connect(signal), { code: 'HOST_KEY_UNKNOWN' });
    }
    assert.ok(!existsSync(file));
  });

  it('is still asked about when the person has accepted another one', async () => {
    const another = fingerprintOf(join(sshd.folder, 'host_rsa.pub'));
    await assert.rejects(visit(another), { code: 'HOST_KEY_UNKNOWN' });
    assert.ok(!existsSync(file));
  });

  it('goes on a line of its own behind a file that ends within one', async () => {
    write('example.com ssh-ed25519 AAAA');
    await visit(sshd.fingerprint);
    assert.equal(
      readFileSync(file, 'utf8'),
      `example.com ssh-ed25519 AAAA\n${lineOf('ed25519')}\n`,
    );
  });

  it('is taken when accepted although it can’t be written down, and the log says so', async () => {
    mkdirSync(file, { recursive: true });
    const logger = new RecordingLogger();
    await visit(sshd.fingerprint, logger);
    assert.ok(logger.lines.some((line) => line.startsWith('warn: the accepted host key')));
  });

  it('is refused for good when it differs, with the place of the line', async () => {
    makeKey(join(home, 'old'));
    const old = readFileSync(join(home, 'old.pub'), 'utf8');
    write(`# old keys\n\n[127.0.0.1]:${sshd.port} ${old}`);
    const before = readFileSync(file, 'utf8');
    await assert.rejects(visit(sshd.fingerprint), (error) => {
      assert.ok(error instanceof EpmuxError);
      assert.equal(error.code, 'HOST_KEY_MISMATCH');
      assert.ok(error.message.includes(`${file}:3`));
      assert.ok(error.message.includes(sshd.fingerprint));
      return true;
    });
    assert.equal(readFileSync(file, 'utf8'), before);
  });

  it('is refused when it is revoked', async () => {
    write(`${lineOf('ed25519')}\n@revoked * ${hostKey('ed25519')}\n`);
    await assert.rejects(visit(), { code: 'HOST_KEY_MISMATCH' });
  });

  for (const type of ['rsa', 'ecdsa'] as const) {
    it(`is the ${type} one of several where that one is known`, async () => {
      write(`${lineOf(type)}\n`);
      await visit();
    });
  }

  it('is found in a hashed file', async () => {
    write(`example.com ${hostKey('rsa')}\n${lineOf('ecdsa')}\n`);
    execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: 'ignore' });
    assert.doesNotMatch(readFileSync(file, 'utf8'), /127/);
    await visit();
  });

  it('is not certified by an authority, and the log says so', async () => {
    const logger = new RecordingLogger();
    write(`@cert-authority * ${hostKey('ed25519')}\n`);
    await assert.rejects(visit(undefined, logger), { code: 'HOST_KEY_UNKNOWN' });
    assert.ok(logger.lines.some((line) => line.startsWith('debug: host certificates')));
  });

  it('has to stay the same when keys are exchanged again', async () => {
    const far = await FarEnd.start();
    const often = await startSshd({ config: ['RekeyLimit 256K'] });
    try {
      const carrier = await connectTo(often, { home, agentPort: far.port });
      const [pipe, socket] = await Promise.all([
        carrier.openAgentPipe(new AbortController().signal),
        far.next(),
      ]);
      const owner = own(pipe);
      // The file is not read again, nor the person asked: that host key is trusted on this
      // connection.
      appendFileSync(
        file,
        `@revoked * ${readFileSync(`${often.folder}/host_ed25519.pub`, 'utf8')}`,
      );
      socket.write(Buffer.alloc(4 * 1024 * 1024, 7));
      await owner.until(() => owner.bytes.length === 4 * 1024 * 1024);
      carrier.close();
    } finally {
      far.stop();
      await often.stop();
    }
  });
});
