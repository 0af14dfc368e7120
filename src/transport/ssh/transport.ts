import { AGENT_PORT } from '../../runtime/address.ts';
import type { Carrier, FirstRequest, Transport } from '../transport.ts';
import { connectSsh, type SshOptions } from './connect.ts';
import type { ChannelRequest } from './early-channel.ts';
import { holdTerminal } from './pty.ts';

export interface SshTransportOptions extends SshOptions {
  /** On the server's loopback; 9001 unless told. */
  readonly agentPort?: number | undefined;
  /** What to call it. */
  readonly target: string;
}

/** An SSH server whose loopback is the dyno's. */
export function sshTransport(options: SshTransportOptions): Transport {
  const { target, agentPort = AGENT_PORT } = options;
  const channelOf = (request: FirstRequest | undefined): ChannelRequest | undefined => {
    if (request === undefined) return undefined;
    if ('command' in request) return { kind: 'process', request };
    return { kind: 'port', port: request.agentPort ?? agentPort };
  };
  return {
    target,
    async connect(signal, first): Promise<Carrier> {
      const connection = await connectSsh(options, signal, () => channelOf(first?.()));
      holdTerminal(connection, target, options.logger);
      return {
        label: target,
        async openAgentPipe(abort, port = agentPort) {
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
