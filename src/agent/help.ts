import { AGENT_PORT, EPMD_PORT, LOOPBACK } from '../runtime/address.ts';
import { limitWord } from '../runtime/limits.ts';
import { AGENT_LIMITS } from './limits.ts';

export const AGENT_HELP = `epmux agent [options] [-- CMD…]

The dyno's side of the tunnel. With CMD it runs CMD as its child, passes signals on and exits with its code.

  --listen HOST:PORT   where to listen (default ${LOOPBACK}:${AGENT_PORT})
  --port PORT          the same on ${LOOPBACK}; also EPMUX_AGENT_PORT
  --listen-fd FD       instead: a socket that listens already, handed over as this descriptor
  --stdio              speak on stdin and stdout instead of listening
  --secret-file FILE   the shared secret, at least 16 bytes; else EPMUX_SECRET
  --pushed FOLDER      what \`epmux up\` starts: takes the secret from FOLDER, removes FOLDER, listens on a
                       free port or on --listen-fd, prints the port, and ends with its last session
  --grace TIME         how long a session waits for a new connection (default 15m)
  --epmd-port PORT     this host's epmd (default ERL_EPMD_PORT, else ${EPMD_PORT})
  --allow NAME=PORT    lets the tunnel open port/NAME, a loopback port; repeatable
  --stall TIME         how long a tunnel that does not drain may keep a node waiting (default 30s)
  --limit NAME=NUMBER  another bound than the default; repeatable, also EPMUX_AGENT_LIMITS. There are
${limitNames()}
  --log-level LEVEL    error, warn, info or debug (default info; warn with CMD)
  --version, --help

TIME is a number with ms, s, m or h; a bare number means seconds.
`;

/** In lines under the option's explanation. */
function limitNames(): string {
  const lines = [''];
  for (const name of Object.keys(AGENT_LIMITS).map(limitWord)) {
    if ((lines.at(-1) ?? '').length + name.length > 74) lines.push('');
    lines.push(`${lines.pop() ?? ''} ${name}`);
  }
  return lines.map((line) => `                      ${line}`).join('\n');
}
