import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { LinkState } from '../../../src/daemon/control/api.ts';
import { AgentBundle } from '../../../src/daemon/links/agent-bundle.ts';
import { DynoLink } from '../../../src/daemon/links/dyno-link.ts';
import { WireCode } from '../../../src/protocol/constants.ts';
import { encodeFrame } from '../../../src/protocol/encode.ts';
import { encodeHello } from '../../../src/protocol/hello.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import type { BytePipe } from '../../../src/runtime/pipe.ts';
import { SESSION_DEFAULTS } from '../../../src/session/config.ts';
import { Session } from '../../../src/session/session.ts';
import { directDialer } from '../../../src/transport/dial.ts';
import { tcpTransport } from '../../../src/transport/tcp.ts';
import { AgentEnd } from '../../support/agent-end.ts';
import { DEFAULT_LIMITS } from '../../support/default-limits.ts';
import { own, type PipeOwner } from '../../support/recording-pipe.ts';

const SECRET = 'a secret of sixteen bytes';
const HELLO = encodeHello('agent', new Uint8Array(32), {
  software: '',
  bootId: new Uint8Array(16),
});
const LATER_MAJOR = Buffer.from(HELLO).fill(2, 9, 11);

const refuse = (code: number) => encodeFrame({ type: 'REFUSE', code, text: '' });
/**
 * What somebody on the agent's port may say who does not know the secret, and the error that it is.
 */
const STRANGERS = [
  ['another secret', Buffer.concat([HELLO, refuse(WireCode.SECRET)]), 'SECRET_REFUSED'],
  [
    'a proof that does not hold',
    Buffer.concat([HELLO, encodeFrame({ type: 'PROOF', proof: new Uint8Array(32) })]),
    'SECRET_REFUSED',
  ],
  ['another version', LATER_MAJOR, 'VERSION_MISMATCH'],
  [
    'that it does not know enough',
    Buffer.concat([HELLO, refuse(WireCode.UNSUPPORTED)]),
    'UNSUPPORTED',
  ],
  [
    'that it has no such session',
    Buffer.concat([HELLO, refuse(WireCode.SESSION_UNKNOWN)]),
    'SESSION_LOST',
  ],
] as const;

describe('a link whose agent’s port is answered by somebody else for a while', function () {
  this.timeout(30_000);
  let agent: AgentEnd;
  let echo: net.Server;
  let stranger: net.Server;
  let says: Uint8Array;
  let link: DynoLink;
  let failures: string[];
  let port: number;
  let graceMs: number;

  const portOf = (server: net.Server) => (server.address() as net.AddressInfo).port;
  const listening = async (onSocket: (socket: net.Socket) => void): Promise<net.Server> => {
    const server = net.createServer((socket) => onSocket(socket.on('error', () => undefined)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };
  const until = async (fits: () => boolean): Promise<void> => {
    while (!fits()) await delay(10);
  };
  const reaches = (state: LinkState) => until(() => link.machine.state === state);
  /** From now on the stranger answers, who says this. */
  const giveAway = (words: Uint8Array): void => {
    says = words;
    port = portOf(stranger);
    agent.cut();
  };
  const openEcho = async (): Promise<{ readonly pipe: BytePipe; readonly owner: PipeOwner }> => {
    await reaches('up');
    const pipe = link.openNode('echo');
    const owner = own(pipe);
    pipe.write(Buffer.from('before'));
    await owner.until(() => owner.text === 'before');
    return { pipe, owner };
  };

  const begin = (): DynoLink => {
    const begun = new DynoLink({
      dyno: null,
      choice: 'auto',
      epmdPort: 1,
      transport: () => tcpTransport({ host: '127.0.0.1', port }, directDialer(systemClock)),
      secret: async () => SECRET,
      createSession: (id) =>
        new Session('daemon', { ...SESSION_DEFAULTS, graceMs }, id, systemClock.now()),
      limits: DEFAULT_LIMITS,
      bundle: new AgentBundle(''),
      inherited: undefined,
      clock: systemClock,
      logger: silentLogger,
      handlers: {
        onChange: () => undefined,
        onAttemptFailed: ({ code }) => failures.push(code),
        onStep: () => undefined,
        onDirectory: () => undefined,
      },
    });
    begun.start();
    return begun;
  };

  beforeEach(async () => {
    failures = [];
    graceMs = SESSION_DEFAULTS.graceMs;
    echo = await listening((socket) => socket.pipe(socket));
    stranger = await listening((socket) => socket.resume().write(says));
    agent = await AgentEnd.start({ secret: SECRET, nodes: { 'echo@dyno': portOf(echo) } });
    port = agent.port;
  });
  afterEach(async () => {
    await link.close();
    await agent.kill();
    echo.close();
    stranger.close();
  });

  for (const [what, words, code] of STRANGERS) {
    it(`goes on with its session when that one says ${what}`, async () => {
      link = begin();
      const { pipe, owner } = await openEcho();
      giveAway(words);
      await until(() => failures.length >= 2);
      assert.deepEqual(new Set(failures), new Set([code]));
      assert.equal(link.machine.state, 'reconnecting');
      port = agent.port;
      pipe.write(Buffer.from(', behind'));
      await owner.until(() => owner.text === 'before, behind');
      assert.equal(link.status().resumes, 1);
    });
  }

  it('is given up when the session’s grace is over', async () => {
    graceMs = 1_000;
    link = begin();
    const { owner } = await openEcho();
    giveAway(Buffer.concat([HELLO, refuse(WireCode.SECRET)]));
    await reaches('failed');
    await owner.called('closed');
    assert.equal(failures.at(-1), 'SECRET_REFUSED');
  });
});
