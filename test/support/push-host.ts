/**
 * A host to push agents to: a real sshd whose sessions have a PATH, a home and a folder for
 * temporary files of their own, so that a test sees all that a push leaves behind.
 *
 *     const host = await PushHost.start();                 // { node: 'none' }: no Node there; { node: 'v18.0.0' }: one that calls itself so
 *     const carrier = await host.connect();
 *     host.files(); host.processes();
 */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createTransport } from '../../src/transport/create.ts';
import type { Carrier, Transport } from '../../src/transport/transport.ts';
import { startSshd, type TestSshd } from './sshd.ts';

const POLL_MS = 20;

export interface PushHostOptions {
  /** What is called `node` there; this process's own unless told. */
  readonly node?: 'none' | `v${string}`;
  /** Further lines of sshd_config. */
  readonly config?: readonly string[];
}

export class PushHost {
  readonly sshd: TestSshd;
  readonly #root: string;

  private constructor(sshd: TestSshd, root: string) {
    this.sshd = sshd;
    this.#root = root;
  }

  static async start({ node, config = [] }: PushHostOptions = {}): Promise<PushHost> {
    const root = mkdtempSync(join(tmpdir(), 'epmux-host-'));
    for (const name of ['bin', 'home', 'tmp']) mkdirSync(join(root, name));
    symlinkSync('/bin/sh', join(root, 'bin', 'sh'));
    const file = join(root, 'bin', 'node');
    if (node === undefined) symlinkSync(process.execPath, file);
    else if (node !== 'none') writeFileSync(file, `#!/bin/sh\necho ${node}\n`, { mode: 0o755 });
    const env = `HOME=${root}/home PATH=${root}/bin TMPDIR=${root}/tmp`;
    const sshd = await startSshd({ config: [`SetEnv ${env}`, ...config] });
    return new PushHost(sshd, root);
  }

  get home(): string {
    return join(this.#root, 'home');
  }

  transport(agentPort = 1): Transport {
    return createTransport(
      {
        kind: 'ssh',
        user: this.sshd.user,
        host: this.sshd.host,
        port: this.sshd.port,
        identityFile: this.sshd.identityFile,
      },
      {
        agentPort,
        acceptHostKey: this.sshd.fingerprint,
        env: {},
        home: join(this.#root, 'laptop'),
        clock: systemClock,
        logger: silentLogger,
      },
    );
  }

  connect(agentPort = 1): Promise<Carrier> {
    return this.transport(agentPort).connect(new AbortController().signal);
  }

  /** What lies in the home folder and among the temporary files. */
  files(): string[] {
    return ['home', 'tmp'].flatMap((name) =>
      readdirSync(join(this.#root, name)).map((file) => join(this.#root, name, file)),
    );
  }

  /** Removes what is left in them by what does not do so itself. */
  clean(): void {
    for (const file of this.files()) rmSync(file, { recursive: true });
  }

  /**
   * The Node processes of its sessions, also of those that have ended: command lines by their pids.
   * An agent that has started calls itself so.
   */
  processes(): Map<number, string> {
    const found = new Map<number, string>();
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const environment = textOf(`/proc/${pid}/environ`).split('\0');
      const command = textOf(`/proc/${pid}/cmdline`).split('\0').join(' ').trim();
      if (environment.includes(`TMPDIR=${this.#root}/tmp`) && /node|^epmux agent/.test(command)) {
        found.set(Number(pid), command);
      }
    }
    return found;
  }

  /** Resolves when neither a process nor a file is left. */
  async deserted(): Promise<void> {
    while (this.processes().size > 0 || this.files().length > 0) await delay(POLL_MS);
  }

  async stop(): Promise<void> {
    await this.sshd.stop();
    for (const pid of this.processes().keys()) process.kill(pid, 'SIGKILL');
    rmSync(this.#root, { recursive: true, force: true });
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // It has ended, or is another user's.
    return '';
  }
}
