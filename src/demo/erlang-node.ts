import { LOOPBACK } from '../runtime/address.ts';
import { askNames } from '../runtime/epmd-client.ts';
import type { Cleanup } from './cleanup.ts';
import { type Erlang, plainEnvironment } from './erlang.ts';
import { freePort } from './loopback.ts';
import { startProgram } from './program.ts';
import { until } from './until.ts';

const START_MS = 30_000;
/**
 * Ends with its stdin, so that it outlives nobody. With IEx, where there is one: `iex --remsh`
 * needs it at the far end too.
 */
const APP = `application:ensure_all_started(iex), io:format("ready ~s~n", [node()]), io:get_line(""), halt().`;

/** Of a real node, or of what stands in for one. */
export interface NodeOptions {
  /** The dyno's home folder, with its cookie. */
  readonly home: string;
  readonly name: string;
  /** `web.1`, as Heroku tells it to what runs in a dyno. */
  readonly dyno: string;
  readonly cookie: string;
  readonly interrupted: AbortSignal;
  readonly cleanup: Cleanup;
}

/**
 * A real node with an epmd of its own. The cookie is the one in the home folder given, so the
 * user's own cookie and epmd are neither read nor reached. Gives epmd's port.
 */
export async function startErlangNode(erlang: Erlang, options: NodeOptions): Promise<number> {
  const { home, name, dyno, interrupted, cleanup } = options;
  const epmdPort = await freePort();
  const env = { ...plainEnvironment(), HOME: home, DYNO: dyno, ERL_EPMD_PORT: String(epmdPort) };

  const epmd = startProgram({
    title: `epmd of ${dyno}`,
    command: [erlang.epmd, '-port', String(epmdPort), '-address', LOOPBACK],
    env,
  });
  cleanup.add('epmd', () => epmd.stop());
  await until('epmd', START_MS, interrupted, () => {
    epmd.assertRuns();
    return answers(epmdPort);
  });

  const node = startProgram({
    title: `the node of ${dyno}`,
    command: [
      erlang.erl,
      ...['-boot', 'no_dot_erlang', '-noshell', '-sname', name, '-start_epmd', 'false'],
      ...['-kernel', 'inet_dist_use_interface', '{127,0,0,1}', '-eval', APP],
      ...(erlang.elixir?.codePaths ?? []).flatMap((folder) => ['-pa', folder]),
    ],
    env,
  });
  cleanup.add('the node', () => node.stop());
  await node.line(/^ready /, START_MS, interrupted);
  return epmdPort;
}

async function answers(port: number): Promise<true | undefined> {
  try {
    await askNames({ host: LOOPBACK, port });
    return true;
  } catch {
    return undefined;
  }
}
