import { readFile, rename } from 'node:fs/promises';
import { EpmuxError, messageOf } from '../protocol/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { fileError, systemCode } from '../runtime/system-error.ts';
import type { TunnelSpec } from './control/api.ts';
import { writeFileAtomic } from './files.ts';
import { DAEMON_LIMITS } from './limits.ts';
import { Rerun } from './rerun.ts';
import { type Check, list, object, oneOf, optional, port, tunnelSpec } from './validate.ts';

/** The layout of the file; a file of another one is put aside. */
const SCHEMA = '1';
/** As many as a daemon may be allowed. */
const MAX_TUNNELS = DAEMON_LIMITS.tunnels.max;

export interface State {
  /** The virtual epmd's port: shells have it in their environment, so it stays. */
  readonly epmdPort?: number;
  /** The tunnels that are up, without any secret. */
  readonly tunnels: readonly TunnelSpec[];
}

const stateFile: Check<State & { readonly schema: string }> = object<
  State & { readonly schema: string }
>({
  schema: oneOf(SCHEMA),
  epmdPort: optional(port),
  tunnels: list(tunnelSpec, MAX_TUNNELS),
});

/** What a state file says. STATE_UNREADABLE when it can't be understood. */
export function readState(text: string): State {
  try {
    const { epmdPort, tunnels } = stateFile(JSON.parse(text), 'state');
    return epmdPort === undefined ? { tunnels } : { epmdPort, tunnels };
  } catch (cause) {
    const why = messageOf(cause);
    throw new EpmuxError('STATE_UNREADABLE', why, { cause });
  }
}

/**
 * What has to outlive the daemon. A change is written at once, as a whole; one that can't be
 * written (a full disk) is logged, held in memory and tried again by `retry`.
 */
export class StateStore {
  readonly #path: string;
  readonly #logger: Logger;
  #state: State = { tunnels: [] };
  #problem: EpmuxError | undefined;
  readonly #rerun = new Rerun(() => this.#write());

  private constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  /**
   * Never fails: a file that can't be understood is put aside as `….unreadable` and the state
   * begins empty.
   */
  static async open(path: string, logger: Logger): Promise<StateStore> {
    const store = new StateStore(path, logger);
    await store.#load();
    return store;
  }

  get state(): State {
    return this.#state;
  }

  /** Why the last change is not on the disk. */
  get problem(): EpmuxError | undefined {
    return this.#problem;
  }

  /** Resolves when the change is on the disk or has failed to get there; never rejects. */
  update(change: (state: State) => State): Promise<void> {
    this.#state = change(this.#state);
    return this.#rerun.ask();
  }

  /** Writes again what could not be written. */
  retry(): Promise<void> {
    return this.#problem === undefined ? Promise.resolve() : this.#rerun.ask();
  }

  async #write(): Promise<void> {
    try {
      const text = JSON.stringify({ schema: SCHEMA, ...this.#state }, undefined, 2);
      await writeFileAtomic(this.#path, `${text}\n`);
      if (this.#problem !== undefined) this.#logger.info('the state file can be written again');
      this.#problem = undefined;
    } catch (error) {
      const problem = fileError(error, this.#path);
      if (this.#problem === undefined) {
        this.#logger.error('the state file can not be written; tried again later', {
          code: problem.code,
          reason: problem.message,
        });
      }
      this.#problem = problem;
    }
  }

  async #load(): Promise<void> {
    try {
      this.#state = readState(await readFile(this.#path, 'utf8'));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return;
      await this.#putAside(error);
    }
  }

  async #putAside(error: unknown): Promise<void> {
    const aside = `${this.#path}.unreadable`;
    const reason = messageOf(error);
    this.#problem = new EpmuxError('STATE_UNREADABLE', `${this.#path}: ${reason}`);
    try {
      await rename(this.#path, aside);
    } catch (failure) {
      this.#logger.error('the unreadable state file can not be put aside', {
        reason: fileError(failure, aside).message,
      });
    }
    this.#logger.error('the state file can not be understood; begun anew without it', {
      code: 'STATE_UNREADABLE',
      reason,
      aside,
    });
  }
}
