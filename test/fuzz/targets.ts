import type { Target } from './target.ts';
import { DAEMON_TARGETS } from './targets/daemon.ts';
import { EPMD_TARGETS } from './targets/epmd.ts';
import { ERLANG_TARGETS } from './targets/erlang.ts';
import { HELLO_TARGETS } from './targets/hello.ts';
import { PROTOCOL_TARGETS } from './targets/protocol.ts';
import { RELAY_TARGETS } from './targets/relay.ts';
import { SESSION_TARGETS } from './targets/session.ts';
import { TERM_TARGETS } from './targets/term.ts';
import { TEXT_TARGETS } from './targets/texts.ts';

/** Every decoder of bytes from outside. A name is also that of its folder in corpus/. */
export const TARGETS: readonly Target[] = [
  ...PROTOCOL_TARGETS,
  ...HELLO_TARGETS,
  ...SESSION_TARGETS,
  ...EPMD_TARGETS,
  ...ERLANG_TARGETS,
  ...TERM_TARGETS,
  ...RELAY_TARGETS,
  ...DAEMON_TARGETS,
  ...TEXT_TARGETS,
];
