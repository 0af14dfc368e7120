/**
 * `node node-relay.mjs PORT`: a plain relay to a loopback port, as one would write it in Node.
 * Prints its port.
 */
import { connect, createServer } from 'node:net';
import { serveUntilStdinEnds } from '../load/serve.ts';

const to = Number(process.argv[2]);

serveUntilStdinEnds(
  createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    near.on('error', () => far.destroy()).on('close', () => far.destroy());
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
    near.pipe(far);
    far.pipe(near);
  }),
);
