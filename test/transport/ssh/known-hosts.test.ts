import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  fingerprint,
  hostKeyType,
  judgeHostKey,
  knownHostName,
  knownKeyTypes,
  parseKnownHosts,
} from '../../../src/transport/ssh/known-hosts.ts';
import { fingerprintOf, makeKey } from '../../support/sshd.ts';

describe('known_hosts', () => {
  let folder: string;
  let ed25519: string;
  let ecdsa: string;
  let other: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'epmux-known-hosts-'));
    for (const [name, type] of [
      ['ed25519', 'ed25519'],
      ['ecdsa', 'ecdsa'],
      ['other', 'ed25519'],
    ] as const) {
      makeKey(join(folder, name), type);
    }
    const publicKey = (name: string): string =>
      readFileSync(join(folder, `${name}.pub`), 'utf8')
        .split(' ')
        .slice(0, 2)
        .join(' ');
    [ed25519, ecdsa, other] = [publicKey('ed25519'), publicKey('ecdsa'), publicKey('other')];
  });
  after(() => rmSync(folder, { recursive: true }));

  const blob = (publicKey: string): Buffer => Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');
  const judge = (text: string, host: string, key: string, port = 22): string => {
    const verdict = judgeHostKey(parseKnownHosts(text, 'file'), { host, port }, blob(key));
    return 'by' in verdict ? `${verdict.kind} by line ${verdict.by.line}` : verdict.kind;
  };

  it('names a host with its port, unless that is SSH’s own', () => {
    assert.equal(knownHostName({ host: 'Example.com', port: 22 }), 'example.com');
    assert.equal(knownHostName({ host: 'Example.com', port: 2222 }), '[example.com]:2222');
    assert.equal(knownHostName({ host: '::1', port: 2222 }), '[::1]:2222');
  });

  it('shows a key as OpenSSH does', () => {
    assert.equal(fingerprint(blob(ed25519)), fingerprintOf(join(folder, 'ed25519.pub')));
    assert.equal(hostKeyType(blob(ecdsa)), 'ecdsa-sha2-nistp256');
    assert.equal(hostKeyType(Buffer.alloc(3)), '');
  });

  it('knows a plain line, in a list, with a comment, whatever the case', () => {
    const text = `\n# a comment\nOne,example.COM,192.0.2.1 ${ed25519} somebody@somewhere\n`;
    assert.equal(judge(text, 'example.com', ed25519), 'known');
    assert.equal(judge(text, 'EXAMPLE.com', ed25519), 'known');
    assert.equal(judge(text, '192.0.2.1', ed25519), 'known');
    assert.equal(judge(text, 'example.org', ed25519), 'unknown');
    assert.equal(judge(text, 'example.com', other), 'changed by line 3');
  });

  it('keeps ports apart, and takes a key known for the host alone where the port has none', () => {
    const text = `[example.com]:2222 ${ed25519}\nexample.com ${other}\n`;
    assert.equal(judge(text, 'example.com', ed25519, 2222), 'known');
    assert.equal(judge(text, 'example.com', other, 2222), 'changed by line 1');
    assert.equal(judge(text, 'example.com', ed25519), 'changed by line 2');
    assert.equal(judge(text, 'example.com', other, 2200), 'known');
    assert.equal(judge(text, 'example.com', ed25519, 2200), 'unknown');
    const types = `[example.com]:2222 ${ecdsa}\nexample.com ${other}\n`;
    assert.equal(judge(types, 'example.com', other, 2222), 'unknown');
    const revoked = `@revoked [example.com]:2222 ${ecdsa}\nexample.com ${other}\n`;
    assert.equal(judge(revoked, 'example.com', other, 2222), 'known');
  });

  it('knows lines that ssh-keygen has hashed', () => {
    const file = join(folder, 'hashed');
    writeFileSync(file, `example.com ${ed25519}\n[example.com]:2222 ${ecdsa}\n::1 ${other}\n`);
    execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: 'ignore' });
    const text = readFileSync(file, 'utf8');
    assert.match(text, /^\|1\|/m);
    assert.doesNotMatch(text, /example/);
    assert.equal(judge(text, 'example.com', ed25519), 'known');
    assert.equal(judge(text, 'Example.com', ecdsa, 2222), 'known');
    assert.equal(judge(text, '::1', other), 'known');
    assert.equal(judge(text, 'example.com', other), 'changed by line 1');
    assert.equal(judge(text, 'example.net', ed25519), 'unknown');
  });

  it('follows wildcards, and what they leave out', () => {
    const text = `*.example.com,!bad.example.com,h?st ${ed25519}\n[*]:2222 ${ecdsa}\n`;
    assert.equal(judge(text, 'a.example.com', ed25519), 'known');
    assert.equal(judge(text, 'bad.example.com', ed25519), 'unknown');
    assert.equal(judge(text, 'host', ed25519), 'known');
    assert.equal(judge(text, 'hoost', ed25519), 'unknown');
    assert.equal(judge(text, 'axexample.com', ed25519), 'unknown');
    assert.equal(judge(text, 'anything', ecdsa, 2222), 'known');
    assert.equal(judge(`!example.com ${ed25519}`, 'example.org', ed25519), 'unknown');
  });

  it('takes any of several keys of a host', () => {
    const text = `example.com ${ed25519}\nexample.com ${other}\nexample.com ${ecdsa}\n`;
    for (const key of [ed25519, other, ecdsa]) {
      assert.equal(judge(text, 'example.com', key), 'known');
    }
  });

  it('asks about a key of a type that it has none of, and names the others', () => {
    const entries = parseKnownHosts(`example.com ${ecdsa}\n`, 'file');
    const verdict = judgeHostKey(entries, { host: 'example.com', port: 22 }, blob(ed25519));
    assert.ok(verdict.kind === 'unknown');
    assert.deepEqual(
      verdict.others.map(({ line, keyType }) => [line, keyType]),
      [[1, 'ecdsa-sha2-nistp256']],
    );
  });

  it('refuses a revoked key although another line has it', () => {
    const text = `example.com ${ed25519}\n@revoked * ${ed25519}\n`;
    assert.equal(judge(text, 'example.com', ed25519), 'revoked by line 2');
    assert.equal(judge(text, 'example.com', other), 'changed by line 1');
  });

  it('takes no certificate authority for a host key', () => {
    const text = `@cert-authority *.example.com ${ed25519}\n`;
    assert.equal(judge(text, 'a.example.com', ed25519), 'unknown');
    const entries = parseKnownHosts(text, 'file');
    assert.deepEqual(knownKeyTypes(entries, { host: 'a.example.com', port: 22 }), []);
  });

  it('lists the types known for a host, for the port before the host alone', () => {
    const entries = parseKnownHosts(
      `h ${ed25519}\n[h]:2222 ${ecdsa}\n@revoked [h]:2222 ${other}\n`,
      'file',
    );
    const types = (port: number): string[] => knownKeyTypes(entries, { host: 'h', port });
    assert.deepEqual(types(2222), ['ecdsa-sha2-nistp256']);
    assert.deepEqual(types(22), ['ssh-ed25519']);
    assert.deepEqual(types(2200), ['ssh-ed25519']);
  });

  it('skips what is no entry', () => {
    const text = [
      'example.com',
      'example.com ssh-ed25519',
      'example.com 2048 35 1234567890',
      `@unknown example.com ${ed25519}`,
      'example.com ssh-ed25519 !!!',
      '|1|broken ssh-ed25519 AAAA',
      '\u0000\u0001',
    ].join('\r\n');
    assert.equal(judge(text, 'example.com', ed25519), 'unknown');
  });
});
