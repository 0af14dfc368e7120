import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { DaemonEnd } from '../support/daemon-end.ts';
import { freePort } from '../support/erlang.ts';
import { TestAgent } from '../support/test-agent.ts';

export const SECRET = 'the secret that both ends know';

/** Resolves when the socket is closed, however. */
export function closing(socket: Socket): Promise<void> {
  socket.on('error', () => {});
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}

/** An agent that may lead to an echo, and the daemons that a test lets at it. */
export class AgentRig {
  readonly echo: Server;
  readonly #noEpmd: number;
  #ends: DaemonEnd[] = [];
  #agent: TestAgent | undefined;

  private constructor(echo: Server, noEpmd: number) {
    this.echo = echo;
    this.#noEpmd = noEpmd;
  }

  static async make(): Promise<AgentRig> {
    const noEpmd = await freePort();
    const echo = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      socket.pipe(socket);
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    return new AgentRig(echo, noEpmd);
  }

  /** Its streams lead to the echo by `port/echo`. */
  async start(...args: readonly string[]): Promise<TestAgent> {
    const { port } = this.echo.address() as { readonly port: number };
    this.#agent = await TestAgent.start(SECRET, [
      ...['--epmd-port', String(this.#noEpmd)],
      ...['--allow', `echo=${port}`],
      ...args,
    ]);
    return this.#agent;
  }

  daemon(secret = SECRET): DaemonEnd {
    const end = new DaemonEnd(secret);
    this.#ends.push(end);
    return end;
  }

  /** Ends what the test began. */
  async clear(): Promise<void> {
    for (const end of this.#ends) end.socket?.destroy();
    this.#ends = [];
    await this.#agent?.stop();
  }

  close(): void {
    this.echo.close();
  }
}
