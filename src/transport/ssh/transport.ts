import type { Carrier, Transport } from '../transport.ts';
import { connectSsh, type SshOptions } from './connect.ts';
import { holdTerminal } from './pty.ts';

export interface SshTransportOptions extends SshOptions {
  /** On the server's loopback. */
  readonly agentPort: number;
  /** What to call it. */
  readonly target: string;
}

/** An SSH server whose loopback is the dyno's. */
export function sshTransport(options: SshTransportOptions): Transport {
  const { target } = options;
  return {
    target,
    async connect(signal): Promise<Carrier> {
      const connection = await connectSsh(options, signal);
      holdTerminal(connection, target, options.logger);
      return {
        label: target,
        async openAgentPipe(abort, port = options.agentPort) {
          const pipe = await connection.forward(port, 'AGENT_MISSING', abort);
          pipe.widenWindow();
          return pipe;
        },
        dial: (port, abort) => connection.forward(port, 'CONNECT_FAILED', abort),
        exec: (request, abort) => connection.exec(request, abort),
        onClosed: (listener) => connection.onClosed(listener),
        close: () => connection.close(),
      };
    },
  };
}
