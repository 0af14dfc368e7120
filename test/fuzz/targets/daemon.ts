import { fromRpcError, LineSplitter, toRpcError } from '../../../src/daemon/control/wire.ts';
import {
  creditOf,
  encodeFrames,
  encodeJson,
  FrameSplitter,
  FrameType,
  jsonOf,
} from '../../../src/daemon/exec/frames.ts';
import { hostsText } from '../../../src/daemon/inetrc.ts';
import { NameTable, splitNodeName } from '../../../src/daemon/names.ts';
import { readState } from '../../../src/daemon/state.ts';
import { execRequest, tunnelSpec, upSecrets, way } from '../../../src/daemon/validate.ts';
import { namesAnswer } from '../../../src/erlang/epmd.ts';
import { encodeNamesAnswer } from '../../../src/erlang/epmd-server.ts';
import { ascii, endless, hex, hold, type Target, whole } from '../target.ts';

const SPEC = {
  name: 'prod',
  way: { kind: 'ssh', user: 'me', host: 'dyno', port: 22, identityFile: '/k' },
  via: 'socks5://u:p@h:1',
  agent: 'auto',
  agentPort: 9001,
  hiddenOnly: false,
  secretFile: '/s',
};
const WAYS = [
  { kind: 'connect', host: 'h', port: 1 },
  { kind: 'command', command: 'x' },
  { kind: 'heroku', app: 'a', dynos: ['web.1', 'worker'] },
];

const lines: Target = {
  name: 'control-lines',
  errors: ['CONTROL_PROTOCOL'],
  framing: 'lines',
  seeds: [
    ascii('{"jsonrpc":"2.0","id":1,"method":"status","params":{}}\n\n{"id":2}\n'),
    ascii('{"error":{"code":-32000,"message":"m","data":{"code":"BUSY","hint":"h"}}}\nnull\n'),
    ascii('{"error":{"data":{"code":"constructor","details":{"a":1}}}}\n"\xff\n'),
  ],
  open: (told) => {
    const splitter = new LineSplitter();
    return {
      push: (chunk) => {
        for (const line of splitter.push(Buffer.from(chunk))) {
          told.fact(line);
          const error = fromRpcError(tryJson(line));
          const again = fromRpcError(toRpcError(error));
          hold(again.code === error.code && again.hint === error.hint, 'an error changes');
        }
      },
    };
  },
  flood: { chunks: () => endless(ascii('{'), ascii(' ')), mayHoldBytes: 1_048_576 },
};

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** JSON that passes is of the shape that the daemon goes by: checking it again changes nothing. */
const params: Target = {
  name: 'control-params',
  errors: ['CONTROL_PROTOCOL'],
  whole: true,
  seeds: [
    SPEC,
    ...WAYS.map((one) => ({ ...SPEC, way: one })),
    { secret: 's', cookie: 'c', acceptHostKey: 'SHA256:x', sshAuthSock: '/a', herokuToken: 't' },
    { command: 'ls', terminal: { term: 'xterm', columns: 80, rows: 24 } },
    { __proto__: null, name: 'a/../b', way: { kind: 'constructor' } },
  ].map((value) => ascii(JSON.stringify(value))),
  open: whole((input, told) => {
    const value = tryJson(Buffer.from(input).toString('utf8'));
    for (const check of [upSecrets, execRequest, tunnelSpec]) {
      const checked = check(value, 'params');
      hold(
        JSON.stringify(check(checked, 'params')) === JSON.stringify(checked),
        'a check changes what passed it',
      );
      told.fact(checked);
    }
    told.fact(way((value as { way?: unknown }).way, 'way'));
  }),
};

const exec: Target = {
  name: 'exec-frames',
  errors: ['CONTROL_PROTOCOL'],
  framing: 'exec',
  seeds: [
    Buffer.concat(encodeFrames(FrameType.stdin, ascii('hello'))),
    Buffer.concat([
      ...encodeJson(FrameType.resize, [80, 24]),
      ...encodeJson(FrameType.credit, 1_024),
      ...encodeFrames(FrameType.signal, ascii('TERM')),
      ...encodeFrames(FrameType.stdinEnd, ascii('')),
      ...encodeJson(FrameType.exit, { code: 1 }),
      ...encodeJson(FrameType.closed, { error: { code: 1, message: 'x' } }),
    ]),
    hex('0100010001'),
    hex('0bffffffff'),
  ],
  open: (told) => {
    const splitter = new FrameSplitter();
    return {
      push: (chunk) => {
        for (const frame of splitter.push(Buffer.from(chunk))) {
          const payload = frame.payload.toString('latin1');
          hold(payload.length <= 65_536, 'a payload over the cap');
          told.fact({ type: frame.type, payload });
          if (frame.type === FrameType.credit) told.fact(creditOf(frame));
          if (frame.type === FrameType.exit) told.fact(jsonOf(frame));
        }
      },
    };
  },
  flood: { chunks: () => endless(hex('0100010000'), new Uint8Array(1)), mayHoldBytes: 131_072 },
};

const state: Target = {
  name: 'state-file',
  errors: ['STATE_UNREADABLE'],
  whole: true,
  seeds: [
    { schema: '1', epmdPort: 4_370, tunnels: [SPEC] },
    { schema: '1', tunnels: [] },
    { schema: '2', tunnels: [] },
    { schema: '1', tunnels: [{ ...SPEC, name: '..' }] },
  ].map((value) => ascii(JSON.stringify(value))),
  open: whole((input, told) => {
    const read = readState(Buffer.from(input).toString('utf8'));
    for (const { name } of read.tunnels) {
      hold(!/[/\\\p{Cc}]|^\./u.test(name), 'a name that leads out of a folder');
    }
    told.fact(read);
  }),
};

/**
 * Names of a dyno, with NUL between them, as they reach local files and the answers of the virtual
 * epmd.
 */
const names: Target = {
  name: 'node-names',
  errors: [],
  whole: true,
  seeds: [
    ascii('app@dyno-1\0other@dyno-1\0q@10.0.0.1\0plain\0@\0a@b@c'),
    ascii('app at port 1@host\0x y@host\0\u0085@host\0a@host\n127.0.0.1 evil'),
    ascii('a\nname b at port 1@host\0\ra@host'),
  ],
  open: whole((input, told) => {
    const table = new NameTable();
    for (const name of Buffer.from(input).toString('utf8').split('\0').slice(0, 64)) {
      const { short, host } = splitNodeName(name);
      table.publish({ short, host, address: '127.0.0.2', port: 4_000, visible: true, behind: 'x' });
    }
    const listed = table.epmdNames('127.0.0.2');
    const answer = namesAnswer();
    answer.push(encodeNamesAnswer({ epmdPort: 1, names: listed }));
    hold(
      JSON.stringify(answer.end().names) === JSON.stringify(listed),
      'a name fakes a line of what epmd lists',
    );
    const text = hostsText(table.hosts(), ['me']);
    hold(
      /^(127\.0\.0\.\d+( [A-Za-z0-9._-]+)+\n)*$/.test(text),
      'a host fakes a line of the hosts file',
    );
    told.fact({ listed, text });
  }),
};

export const DAEMON_TARGETS: readonly Target[] = [lines, params, exec, state, names];
