import {
  type EpmdAnswer,
  encodeEpmdRequest,
  namesAnswer,
  portAnswer,
} from '../../../src/erlang/epmd.ts';
import {
  EpmdRequestParser,
  encodeNamesAnswer,
  encodePortAnswer,
} from '../../../src/erlang/epmd-server.ts';
import { ascii, endless, hex, hold, type Target } from '../target.ts';

const NODE = {
  name: 'app',
  port: 45_678,
  visible: true,
  highest: 6,
  lowest: 5,
  extra: hex('0001'),
};

const epmdRequest: Target = {
  name: 'epmd-request',
  errors: ['EPMD_PROTOCOL'],
  framing: 'u16',
  seeds: [
    encodeEpmdRequest({ kind: 'alive', node: NODE }),
    encodeEpmdRequest({ kind: 'port', name: 'app' }),
    encodeEpmdRequest({ kind: 'stop', name: 'app' }),
    ...(['names', 'dump', 'kill'] as const).map((kind) => encodeEpmdRequest({ kind })),
  ],
  open: (told) => {
    const parser = new EpmdRequestParser();
    return {
      push: (chunk) => {
        const request = parser.push(chunk);
        if (request === undefined) return;
        told.fact(request);
        const again = new EpmdRequestParser().push(encodeEpmdRequest(request));
        hold(again?.kind === request.kind, 'a request changes when repeated');
      },
    };
  },
  flood: { chunks: () => endless(hex('0400'), new Uint8Array(1)), mayHoldBytes: 4_096 },
};

function answerTarget(
  name: string,
  open: () => EpmdAnswer<unknown>,
  seeds: readonly Uint8Array[],
  flood: NonNullable<Target['flood']>,
): Target {
  return {
    name,
    errors: ['EPMD_PROTOCOL'],
    seeds,
    open: (told) => {
      const answer = open();
      let done = false;
      const take = (value: unknown): void => {
        if (value === undefined) return;
        done = true;
        told.fact(value);
      };
      return {
        // Whoever asked closes the connection behind the answer.
        push: (chunk) => done || take(answer.push(chunk)),
        end: () => done || take(answer.end()),
      };
    },
    flood,
  };
}

const epmdAnswers: readonly Target[] = [
  answerTarget(
    'epmd-port-answer',
    portAnswer,
    [encodePortAnswer(NODE), encodePortAnswer(undefined)],
    {
      chunks: () => endless(hex('7700b26e4d00000600050fff'), new Uint8Array(1)),
      mayHoldBytes: 8_192,
    },
  ),
  answerTarget(
    'epmd-names-answer',
    () => {
      const answer = namesAnswer();
      return {
        push: (chunk) => answer.push(chunk),
        end: () => {
          const known = answer.end();
          for (const { name, port } of known.names) {
            hold(port <= 65_535, 'a port that can be none');
            hold(!/\n/.test(name), 'a name of two lines');
          }
          return known;
        },
      };
    },
    [
      encodeNamesAnswer({ epmdPort: 4_369, names: [NODE, { name: 'b at port 1', port: 65_535 }] }),
      encodeNamesAnswer({ epmdPort: 1, names: [{ name: 'c', port: 99_999 }] }),
      ascii('\0\0\x11\x11name app at port 1\nname app at port 2\r\nactive name x at port 3\n'),
    ],
    { chunks: () => endless(hex('00001111'), ascii('n')), mayHoldBytes: 1_048_576 },
  ),
];

export const EPMD_TARGETS: readonly Target[] = [epmdRequest, ...epmdAnswers];
