import { NONCE_BYTES } from '../../../src/protocol/constants.ts';
import {
  AgentHandshake,
  DaemonHandshake,
  type HandshakeStep,
} from '../../../src/protocol/handshake.ts';
import {
  agreeOnMinor,
  encodeHello,
  readAttributes,
  readHello,
} from '../../../src/protocol/hello.ts';
import { endless, hex, hold, type Target, whole } from '../target.ts';
import { agent, daemon, plain, said, secret } from './vectors.ts';

/**
 * Bytes for one end of a handshake whose own hello is that of the vectors, so that a proof among
 * them can hold.
 */
function handshakeTarget(
  name: string,
  begin: () => { receive(chunk: Uint8Array): HandshakeStep<{ readonly rest: Uint8Array }> },
  seeds: readonly Uint8Array[],
): Target {
  return {
    name,
    errors: [],
    framing: 'frames',
    seeds,
    open: (told) => {
      const handshake = begin();
      let over = false;
      return {
        push: (chunk) => {
          if (over) return told.bytes('rest', chunk);
          if (chunk.length === 0) return;
          const step = handshake.receive(chunk);
          told.bytes('send', step.send);
          over = step.state !== 'waiting';
          if (step.state === 'failed') told.fact({ failed: step.error.code });
          if (step.state !== 'done') return;
          const { rest, ...result } = step.result;
          told.fact(plain(result));
          told.bytes('rest', rest);
        },
      };
    },
    flood: {
      chunks: () => endless(hex('45504d55580d0a1a'), new Uint8Array(1)),
      mayHoldBytes: 4_096,
    },
  };
}

/** What follows a failure is not looked at, so it can't be compared. */
function endsAtFailure(target: Target): Target {
  const open: Target['open'] = (told) => {
    let failed = false;
    const decoder = target.open({
      fact: (fact) => {
        failed ||= typeof fact === 'object' && fact !== null && 'failed' in fact;
        told.fact(fact);
      },
      bytes: (name, piece) => {
        if (!failed) told.bytes(name, piece);
      },
    });
    return decoder;
  };
  return { ...target, open };
}

const asAgent = endsAtFailure(
  handshakeTarget(
    'handshake-of-agent',
    () =>
      new AgentHandshake({
        secret: hex(secret.hex),
        nonce: hex(agent.nonce),
        software: agent.software,
        bootId: hex(agent.bootId),
        hostName: agent.hostName,
      }),
    [said('daemon', 1), said('agent', 1)],
  ),
);

const asDaemon = endsAtFailure(
  handshakeTarget(
    'handshake-of-daemon',
    () =>
      new DaemonHandshake({
        secret: hex(secret.hex),
        nonce: hex(daemon.nonce),
        software: daemon.software,
        attach: () => hex(`030000190000000000${'00'.repeat(24)}`),
      }),
    [said('agent', 1), said('daemon', 1), Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ),
);

/** Attributes are behind a proof, which no mutation gets past: here they come alone. */
const attributes: Target = {
  name: 'attributes',
  errors: ['PROTOCOL', 'UNSUPPORTED', 'VERSION_MISMATCH'],
  whole: true,
  seeds: [
    hex('0001000b65706d75782f302e312e30'),
    hex(`00020010${'11'.repeat(16)}`),
    hex(`00020010${'11'.repeat(16)}00030002c3a4`),
    hex('80010000'),
  ],
  open: whole((input, told) => {
    for (const role of ['daemon', 'agent'] as const) {
      const fixed = encodeHello(role, new Uint8Array(NONCE_BYTES), { software: '' });
      const head = fixed.subarray(0, fixed.length - 6);
      const length = Uint8Array.of(input.length >>> 8, input.length);
      const hello = readHello(Buffer.concat([head, length, input]), role);
      hold(hello !== undefined, 'a whole hello is not taken');
      const peer = readAttributes(hello, role, agreeOnMinor(hello));
      hold(!/\p{Cc}/u.test(peer.software + peer.hostName), 'a control character in a name');
      told.fact(peer);
    }
  }),
};

export const HELLO_TARGETS: readonly Target[] = [asAgent, asDaemon, attributes];
