import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** For NODE_EXTRA_CA_CERTS. */
  readonly caFile: string;
}

/** A self-signed certificate for loopback, made in this folder. */
export function makeCertificate(folder: string): Certificate {
  const [keyFile, caFile] = [join(folder, 'key.pem'), join(folder, 'ca.pem')];
  const names = 'subjectAltName=IP:127.0.0.1,DNS:localhost';
  const request = [
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
  ];
  const files = ['-addext', names, '-keyout', keyFile, '-out', caFile];
  execFileSync('openssl', ['req', ...request, ...files], { stdio: 'ignore' });
  return { cert: readFileSync(caFile, 'utf8'), key: readFileSync(keyFile, 'utf8'), caFile };
}
