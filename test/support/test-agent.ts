import type { CookieSurroundings } from '../../src/agent/cookie-places.ts';
import { createLineLogger } from '../../src/agent/line-logger.ts';
import { type AgentOptions, parseAgentOptions } from '../../src/agent/options.ts';
import { startTunnel, type Tunnel } from '../../src/agent/tunnel.ts';

/** An agent in this process, and what it logged. */
export class TestAgent {
  readonly log: string[] = [];
  readonly #tunnel: Tunnel;

  private constructor(tunnel: Tunnel, log: string[]) {
    this.#tunnel = tunnel;
    this.log = log;
  }

  /**
   * It looks for cookies in the processes of this user, and where `around` says besides; not in the
   * home folder of who runs the tests.
   */
  static async start(
    secret: string,
    args: readonly string[],
    around: Partial<CookieSurroundings> = {},
  ): Promise<TestAgent> {
    const request = parseAgentOptions(['--port', '0', ...args], {});
    const { options } = request as { readonly options: AgentOptions };
    const log: string[] = [];
    const logger = createLineLogger('debug', (line) => log.push(line));
    const surroundings = {
      proc: '/proc',
      uid: process.getuid?.() ?? -1,
      env: {},
      home: '',
      ...around,
    };
    return new TestAgent(
      await startTunnel(options, Buffer.from(secret), logger, surroundings),
      log,
    );
  }

  get port(): number {
    return this.#tunnel.port ?? 0;
  }

  stop(): Promise<void> {
    return this.#tunnel.stop();
  }
}
