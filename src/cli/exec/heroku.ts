import type { HerokuClient } from '../../heroku/client.ts';
import { herokuTransport } from '../../heroku/exec-transport.ts';
import { formationOf, isSelected, requireRunning } from '../../heroku/formation.ts';
import { sshKeysOnce } from '../../heroku/keys.ts';
import { addonUrlOf, execWarnings, preflight } from '../../heroku/preflight.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { createDialer } from '../../transport/create.ts';
import type { Carrier, ExecRequest } from '../../transport/transport.ts';
import type { HerokuWay } from '../../transport/way.ts';
import type { Io } from '../io.ts';
import { printable } from '../terminal/printable.ts';
import { callersHeroku } from '../way/heroku-client.ts';

const FIRST_DYNO = 'web.1';

export interface HerokuExecOptions {
  readonly way: HerokuWay;
  readonly via: string | undefined;
  readonly logger: Logger;
  readonly io: Io;
}

export interface DynoExecStatus {
  readonly name: string;
  /** Undefined: the platform does not list it. */
  readonly type: string | undefined;
  readonly state: string | undefined;
  /** Its SSH server is registered with the exec manager. */
  readonly exec: boolean;
}

/** One app's Heroku, with the credentials of whoever calls. */
export class HerokuExec {
  readonly #options: HerokuExecOptions;
  readonly #client: HerokuClient;

  /** Throws CONFIG_INVALID. */
  constructor(options: HerokuExecOptions) {
    const { io, logger, way, via } = options;
    this.#options = options;
    this.#client = callersHeroku(way.app, via, io, logger);
  }

  get app(): string {
    return this.#options.way.app;
  }

  /** Secrets. */
  configVars(): Promise<Readonly<Record<string, string>>> {
    return this.#client.platform.configVars(this.#signal);
  }

  /**
   * A connection into web.1, if it is meant, else into the first that is meant and up, for this
   * request. Throws EXEC_DISABLED and others.
   */
  async connect(request: ExecRequest): Promise<Carrier> {
    const { way, via, logger, io } = this.#options;
    const keys = sshKeysOnce();
    // Made while Heroku is asked; a failure shows when they are needed.
    keys().catch(() => undefined);
    const { facts, dynos } = await preflight(this.#client.platform, this.#signal);
    for (const warning of execWarnings(facts)) io.talk(printable(`warning: ${warning}`));
    const up = requireRunning(way.app, dynos, way.dynos).filter((dyno) => dyno.isUp);
    const dyno = up.find(({ name }) => name === FIRST_DYNO) ?? up[0];
    const transport = herokuTransport({
      app: way.app,
      dyno: dyno?.name ?? FIRST_DYNO,
      manager: this.#client.manager(addonUrlOf(facts)),
      keys,
      dial: createDialer(via, systemClock),
      clock: systemClock,
      logger,
    });
    return transport.connect(this.#signal, () => request);
  }

  /** Every dyno that is meant, and those that only the exec manager knows. */
  async status(): Promise<readonly DynoExecStatus[]> {
    const { way } = this.#options;
    const { facts, dynos } = await preflight(this.#client.platform, this.#signal);
    const running = await this.#client.manager(addonUrlOf(facts)).list(this.#signal);
    const { wanted, unmatched } = formationOf(dynos, way.dynos);
    const unlisted = running.filter(
      (name) => !dynos.some((dyno) => dyno.name === name) && isSelected(name, way.dynos),
    );
    const [missing] = unmatched.filter((selector) => !unlisted.some((name) => name === selector));
    if (missing !== undefined) requireRunning(way.app, dynos, [missing]);
    return [
      ...wanted.map(({ name, type, state }) => ({
        name,
        type,
        state,
        exec: running.includes(name),
      })),
      ...unlisted.map((name) => ({ name, type: undefined, state: undefined, exec: true })),
    ];
  }

  get #signal(): AbortSignal {
    return this.#options.io.interrupted;
  }
}
