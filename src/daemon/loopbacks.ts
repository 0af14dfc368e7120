import net from 'node:net';

/** Whether more of 127.0.0.0/8 than 127.0.0.1 can be listened on: Linux has all of it, macOS one address. */
export function manyLoopbacks(): Promise<boolean> {
  return new Promise((answer) => {
    const server = net.createServer();
    server.once('error', () => answer(false));
    server.listen({ host: '127.0.0.2', port: 0 }, () => server.close(() => answer(true)));
  });
}
