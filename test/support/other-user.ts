import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const NOBODY = 65_534;
/** Ends with its stdin, so that it can't outlive the test process. */
const FORWARD = `
const { connect, createServer } = require('node:net');
const server = createServer((near) => {
  const far = connect(Number(process.argv[1]), '127.0.0.1');
  for (const socket of [near, far]) socket.on('error', () => {});
  near.pipe(far);
  far.pipe(near);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit()).resume();
`;

/**
 * A port of another user of this machine, who passes everything on to a port of 127.0.0.1 and back.
 * Root only.
 */
export class OtherUsersPort {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  static async open(to: number): Promise<OtherUsersPort> {
    const child = spawn(process.execPath, ['-e', FORWARD, String(to)], {
      ...{ uid: NOBODY, gid: NOBODY, cwd: '/', env: {} },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [said] = await once(child.stdout, 'data');
    return new OtherUsersPort(Number(String(said)), child);
  }

  async close(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await ended;
  }
}
