import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { within } from '../erlang-process.ts';
import type { HerokuStandIn } from './stand-in.ts';

const CACHED = '../../../.test-cache/heroku/node_modules/.bin/heroku';
const SSH_PORT = 80;

/** The official CLI, from the PATH or from where `scripts/test` puts it. */
export function officialCli(): string | undefined {
  const onPath = (process.env['PATH'] ?? '').split(':').map((folder) => join(folder, 'heroku'));
  const files = [...onPath, fileURLToPath(new URL(CACHED, import.meta.url))];
  return files.find((file) => existsSync(file));
}

/**
 * The CLI dials port 80 of the tunnel host, whatever it is told: an address of loopback's for each
 * dyno, and its port 80 led to the dyno's SSH server.
 */
export class TunnelHosts {
  readonly #fronts = new Map<number, Promise<string>>();
  readonly #servers: Server[] = [];

  /** For `standIn.tunnelHost`: an address that is listened on once it is told. */
  readonly hostOf = (port: number): Promise<string> => {
    const known = this.#fronts.get(port) ?? this.#listen(port);
    this.#fronts.set(port, known);
    return known;
  };

  stop(): void {
    for (const server of this.#servers) server.close();
  }

  async #listen(port: number): Promise<string> {
    const host = `127.80.${port >> 8}.${port & 255}`;
    const server = createServer({ noDelay: true }, (near) => {
      const far = connect({ port, host: '127.0.0.1', noDelay: true });
      near.pipe(far).pipe(near);
      near.on('error', () => far.destroy());
      far.on('error', () => near.destroy());
    });
    this.#servers.push(server);
    server.listen(SSH_PORT, host);
    await once(server, 'listening');
    return host;
  }
}

/** One run of the official CLI against a stand-in, in a home folder of its own. */
export class OfficialRun {
  output = '';
  readonly child: ChildProcess;
  readonly #home: string;

  constructor(program: string, args: readonly string[], standIn: Pick<HerokuStandIn, 'env'>) {
    this.#home = mkdtempSync(join(tmpdir(), 'epmux-heroku-home-'));
    this.child = spawn(program, args, {
      env: {
        PATH: process.env['PATH'],
        HOME: this.#home,
        ...standIn.env,
        HEROKU_DISABLE_AUTOUPDATE: '1',
        HEROKU_SKIP_NEW_VERSION_CHECK: '1',
        DO_NOT_TRACK: '1',
        DISABLE_TELEMETRY: 'true',
        IS_HEROKU_TEST_ENV: 'true',
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.output += chunk;
      });
    }
  }

  /** Resolves once the output holds this. */
  async says(text: string | RegExp, limitMs = 60_000): Promise<void> {
    const seen = new Promise<void>((resolve, reject) => {
      const look = () => {
        if (this.output.search(text) >= 0) resolve();
      };
      this.child.stdout?.on('data', look);
      this.child.stderr?.on('data', look);
      this.child.once('exit', (code) => reject(new Error(`exit ${code}: ${this.output}`)));
      look();
    });
    await within(seen, () => `${text} in: ${this.output}`, limitMs);
  }

  /** The exit code, once it has ended by itself. */
  async ended(limitMs = 60_000): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const explain = () => {
        this.child.kill('SIGKILL');
        return `an end of: ${this.output}`;
      };
      await within(once(this.child, 'close'), explain, limitMs);
    }
    rmSync(this.#home, { recursive: true, force: true });
    return this.child.exitCode;
  }

  /** Ctrl-C; version 11's `ps:forward` goes on listening after one, so a kill follows. */
  async interrupt(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.kill('SIGINT');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 2_000);
    await exited;
    clearTimeout(timer);
    await this.ended();
  }
}
