import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EpmuxError, type ErrorCode } from '../../../src/protocol/errors.ts';
import { startSshAgent, type TestSshAgent } from '../../support/ssh-agent.ts';
import { makeKey, startSshd, type TestSshd } from '../../support/sshd.ts';
import { until } from '../../support/until.ts';
import { connectTo, type SshChoices } from './support.ts';

describe('what a person proves to an SSH server', () => {
  let sshd: TestSshd;
  let agent: TestSshAgent;
  let home: string;
  let folder: string;
  let wrong: string;

  before(async () => {
    sshd = await startSshd();
    wrong = join(sshd.folder, 'wrong');
    makeKey(wrong);
  });
  beforeEach(async () => {
    home = mkdtempSync(join(sshd.folder, 'home-'));
    folder = join(home, '.ssh');
    mkdirSync(folder, { mode: 0o700 });
    agent = await startSshAgent(home);
  });
  afterEach(async () => {
    await agent.stop();
    await until(() => sshd.connections === 0);
  });
  after(() => sshd.stop());

  const visit = async (choices: SshChoices, server = sshd): Promise<void> => {
    const carrier = await connectTo(server, { home, identityFile: undefined, ...choices });
    carrier.close();
  };
  const refused = async (code: ErrorCode, choices: SshChoices, server = sshd): Promise<string> => {
    let message = '';
    await assert.rejects(visit(choices, server), (error) => {
      assert.ok(error instanceof EpmuxError);
      assert.equal(error.code, code, error.message);
      message = `${error.message}; ${error.hint}`;
      return true;
    });
    return message;
  };
  const encrypted = (name: string): string => {
    const file = join(folder, name);
    makeKey(file);
    execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'a passphrase', '-f', file]);
    return file;
  };

  it('is the identity file alone, when it is given', async () => {
    copyFileSync(sshd.identityFile, join(folder, 'id_ed25519'));
    agent.add(sshd.identityFile);
    const message = await refused('SSH_AUTH_REFUSED', {
      identityFile: wrong,
      sshAuthSock: agent.socket,
    });
    assert.ok(message.includes(`tried ${wrong}`));
    assert.ok(!message.includes('ssh-agent ('));
  });

  it('is any key of ssh-agent', async () => {
    agent.add(wrong, sshd.identityFile);
    await visit({ sshAuthSock: agent.socket });
  });

  for (const type of ['ecdsa', 'rsa'] as const) {
    it(`is the default ${type} key when the ones before it are refused`, async () => {
      makeKey(join(folder, 'id_ed25519'));
      makeKey(join(folder, `id_${type}`), type);
      sshd.authorize(readFileSync(join(folder, `id_${type}.pub`), 'utf8'));
      agent.add(wrong);
      await visit({ sshAuthSock: agent.socket });
    });
  }

  it('is refused with a list of all that was tried', async () => {
    makeKey(join(folder, 'id_ed25519'));
    makeKey(join(folder, 'id_rsa'), 'rsa');
    agent.add(wrong);
    const message = await refused('SSH_AUTH_REFUSED', { sshAuthSock: agent.socket });
    assert.ok(
      message.includes(`tried ssh-agent (1 key), ${folder}/id_ed25519, ${folder}/id_rsa`),
      message,
    );
    assert.ok(message.includes(sshd.user));
  });

  it('is not offered twice when ssh-agent and a default file have the same key', async () => {
    copyFileSync(wrong, join(folder, 'id_ed25519'));
    agent.add(wrong);
    const message = await refused('SSH_AUTH_REFUSED', { sshAuthSock: agent.socket });
    assert.match(message, /\(tried ssh-agent \(1 key\)\)/);
  });

  it('is nothing at all for who has no keys', async () => {
    assert.match(await refused('SSH_AUTH_REFUSED', {}), /no key was tried/);
    assert.match(
      await refused('SSH_AUTH_REFUSED', { sshAuthSock: agent.socket }),
      /ssh-agent \(no key\)/,
    );
  });

  it('goes on with the default files when ssh-agent is gone', async () => {
    copyFileSync(sshd.identityFile, join(folder, 'id_ed25519'));
    await visit({ sshAuthSock: join(home, 'no-such-socket') });
    await agent.stop();
    await visit({ sshAuthSock: agent.socket });
  });

  it('can’t be a key with a passphrase, and ssh-agent is named as the way', async () => {
    const file = encrypted('locked');
    const message = await refused('SSH_KEY_UNUSABLE', { identityFile: file });
    assert.match(message, /locked can't be used: it has a passphrase; .*ssh-agent/);
    assert.match(
      await refused('SSH_KEY_UNUSABLE', { identityFile: file, sshAuthSock: agent.socket }),
      /ssh-agent does not hold it/,
    );
  });

  it('can be a key with a passphrase that ssh-agent holds, and then no other of its keys', async () => {
    const others = Array.from({ length: 7 }, (_, i) => join(home, `other-${i}`));
    for (const file of others) makeKey(file);
    const file = join(folder, 'locked');
    makeKey(file);
    agent.add(...others, file);
    execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'a passphrase', '-f', file]);
    sshd.authorize(readFileSync(`${file}.pub`, 'utf8'));
    await visit({ identityFile: file, sshAuthSock: agent.socket });
    await visit({ identityFile: `${file}.pub`, sshAuthSock: agent.socket });
  });

  it('leaves out a default key with a passphrase, and says so when nothing else fits', async () => {
    const file = encrypted('id_ed25519');
    assert.match(
      await refused('SSH_KEY_UNUSABLE', { sshAuthSock: agent.socket }),
      new RegExp(`${file} \\(it has a passphrase\\)`),
    );
    makeKey(join(folder, 'id_rsa'), 'rsa');
    assert.match(
      await refused('SSH_AUTH_REFUSED', {}),
      /left out .*id_ed25519 \(it has a passphrase\)/,
    );
  });

  it('can’t be a file that is missing or holds no key', async () => {
    const file = join(home, 'nothing');
    assert.match(
      await refused('SSH_KEY_UNUSABLE', { identityFile: file }),
      /there is no such file/,
    );
    writeFileSync(file, 'nothing of a key');
    assert.match(await refused('SSH_KEY_UNUSABLE', { identityFile: file }), /no private key/);
    writeFileSync(file, '#'.repeat(100_000));
    assert.match(await refused('SSH_KEY_UNUSABLE', { identityFile: file }), /larger than 65536/);
  });

  it('is cut short by a server that counts tries, and its words are passed on', async () => {
    const files = Array.from({ length: 7 }, (_, i) => join(home, `key-${i}`));
    for (const file of files) makeKey(file);
    agent.add(...files);
    const message = await refused('SSH_AUTH_REFUSED', { sshAuthSock: agent.socket });
    assert.match(message, /Too many authentication failures \(tried ssh-agent \(7 keys\)\)/);
  });

  it('does not help where the server takes no keys, or wants more than a key', async () => {
    const identityFile = sshd.identityFile;
    for (const [config, words] of [
      [['PubkeyAuthentication no', 'PasswordAuthentication yes'], /takes no keys \(password\)/],
      [
        ['PasswordAuthentication yes', 'AuthenticationMethods publickey,password'],
        /took the key and wants more \(password\)/,
      ],
    ] as const) {
      const strict = await startSshd({ config });
      strict.authorize(readFileSync(`${identityFile}.pub`, 'utf8'));
      const choices = { identityFile, acceptHostKey: strict.fingerprint };
      assert.match(await refused('SSH_AUTH_REFUSED', choices, strict), words);
      await strict.stop();
    }
  });

  it('does not help a user whom the server does not know', async () => {
    const message = await refused('SSH_AUTH_REFUSED', {
      user: 'nobody-of-this-name',
      identityFile: sshd.identityFile,
    });
    assert.match(message, /does not let nobody-of-this-name in/);
  });
});
