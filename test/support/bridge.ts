import { execFileSync } from 'node:child_process';

const BRIDGE = `
const net = require('node:net');
const socket = net.connect({ host: '127.0.0.1', port: Number(process.argv[1]), allowHalfOpen: true });
const input = new net.Socket({ fd: 0, readable: true, writable: false });
const output = new net.Socket({ fd: 1, readable: false, writable: true });
const fail = () => process.exit(9);
for (const stream of [socket, input, output]) stream.on('error', fail);
input.pipe(socket);
socket.pipe(output);
`.replaceAll('\n', ' ');

/**
 * A shell command that joins its stdin and stdout with a port of loopback, each direction to its
 * own end. Exits with 9 at an error.
 */
export function bridgeCommand(port: number): string {
  return `'${process.execPath}' -e "${BRIDGE}" ${port}`;
}

/** Whether a process of this group lives; one that only waits to be reaped does not. */
export function stillRuns(group: number): boolean {
  const all = execFileSync('ps', ['-eo', 'pgid=,stat='], { encoding: 'utf8' });
  return all.split('\n').some((line) => {
    const [pgid, state = 'Z'] = line.trim().split(/\s+/);
    return Number(pgid) === group && !state.startsWith('Z');
  });
}
