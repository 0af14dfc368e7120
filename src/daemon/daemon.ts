import { EpmuxError, messageOf } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { Descriptors } from '../runtime/descriptors.ts';
import { erlangConfig, homeFolder } from '../runtime/home.ts';
import { sessionConfigOf } from '../runtime/session-limits.ts';
import { VERSION } from '../runtime/version.ts';
import { deferred, within } from '../runtime/wait.ts';
import { Session } from '../session/session.ts';
import { lookUps } from '../transport/look-up.ts';
import { endCommands } from '../transport/process-group.ts';
import type { Leading } from './control/api.ts';
import { assertUnanswered, ControlServer } from './control/server.ts';
import type { CreateDynos } from './create-dynos.ts';
import { Ending } from './ending.ts';
import { localCookie } from './erlang-cookie.ts';
import { ExecBroker } from './exec/broker.ts';
import { controlHandlers } from './handlers.ts';
import type { DaemonLimits } from './limits.ts';
import { LocalNaming } from './local-naming.ts';
import { acquireLock, type Lock } from './lock.ts';
import type { DaemonLog } from './log.ts';
import { memoryText, type TunnelMemory } from './memory.ts';
import { type DaemonPaths, ensureFolders, ensureRuntimeFolder } from './paths.ts';
import { SecretStore } from './secrets.ts';
import { StateStore } from './state.ts';
import { Supervised } from './supervised.ts';
import { Surroundings } from './surroundings.ts';
import type { TunnelParts } from './tunnel-parts.ts';
import { Tunnels } from './tunnels.ts';

/** For goodbyes to all agents together. */
const CLOSE_MS = 3_000;

export interface DaemonOptions {
  readonly paths: DaemonPaths;
  readonly env: NodeJS.ProcessEnv;
  readonly log: DaemonLog;
  /** In the foreground tunnels neither come back from the state file nor go there. */
  readonly foreground?: boolean;
  readonly limits: DaemonLimits;
  /** It does not end without tunnels: a service. */
  readonly stay?: boolean;
  /** As `Supervised` has it. */
  readonly restarts?: number;
  /** What only the worker before this one held. */
  readonly memory?: readonly TunnelMemory[];
  readonly clock: Clock;
  /** Where a tunnel leads. */
  readonly createDynos: CreateDynos;
}

/**
 * One daemon on one state folder: its tunnels, what leads local nodes to them, and the control
 * socket.
 */
export class Daemon {
  readonly #end = deferred();
  /** Resolves when everything is closed. */
  readonly ended: Promise<void> = this.#end.promise;
  readonly tunnels: Tunnels;
  readonly execBroker: ExecBroker;
  /** Undefined in the foreground. */
  readonly supervised: Supervised | undefined;
  readonly startedAt: string;
  readonly localCookie: () => Promise<string>;
  readonly clock: Clock;
  readonly #descriptors: Descriptors;
  readonly #options: DaemonOptions;
  readonly #lock: Lock;
  readonly #state: StateStore;
  readonly #naming: LocalNaming;
  readonly #ending: Ending;
  readonly #surroundings: Surroundings;
  #control: ControlServer | undefined;
  #stopping: Promise<void> | undefined;

  private constructor(options: DaemonOptions, lock: Lock, state: StateStore, naming: LocalNaming) {
    const { paths, env, clock, limits, foreground = false, stay = false, restarts = 0 } = options;
    this.clock = clock;
    this.#descriptors = new Descriptors(() => clock.now());
    this.#options = options;
    this.#lock = lock;
    this.#state = state;
    this.#naming = naming;
    this.startedAt = new Date(clock.wallNow()).toISOString();
    this.localCookie = () => localCookie(homeFolder(env), erlangConfig(env));
    this.tunnels = this.#createTunnels();
    const memory = () => memoryText(this.tunnels.memory());
    this.supervised = foreground
      ? undefined
      : new Supervised({ paths, clock, restarts, isService: stay, memory });
    this.execBroker = new ExecBroker({
      folder: paths.runtimeDir,
      clock,
      most: limits.execProcesses,
    });
    this.#ending = new Ending({
      clock,
      tunnels: () => this.tunnels.size,
      clients: () => this.#control?.clients ?? 0,
      stay,
      end: () => void this.stop('there is no tunnel any more'),
    });
    this.#surroundings = this.#watchSurroundings();
  }

  /**
   * Fails with DAEMON_BUSY, PORT_TAKEN, CONFIG_INVALID (a path too long), PERMISSION_DENIED; then
   * nothing of it is left.
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { paths, env, log, limits, clock } = options;
    ensureFolders(paths);
    const lock = await acquireLock(paths, 'daemon', options.foreground);
    let naming: LocalNaming | undefined;
    try {
      // Its lock may be gone: what it has written must not be overwritten before that is noticed.
      await assertUnanswered(paths.controlSocket);
      const state = await StateStore.open(paths.stateFile, log);
      naming = await LocalNaming.start({ paths, env, state, limits, clock, logger: log });
      const daemon = new Daemon(options, lock, state, naming);
      await daemon.#begin();
      return daemon;
    } catch (error) {
      await naming?.close();
      lock.release();
      throw error;
    }
  }

  get leading(): Leading {
    return this.#naming.leading;
  }

  /** What does not work at the moment and does not end the daemon. */
  get problems(): readonly string[] {
    const { problem: state } = this.#state;
    const { problem: log } = this.#options.log;
    const problems = [...this.#naming.problems, ...this.tunnels.problems];
    if (state !== undefined) problems.push(`the tunnels can not be written down: ${state.message}`);
    if (log !== undefined) problems.push(`the log loses lines: ${log}`);
    const full = this.#descriptors.refusal();
    if (full !== undefined) problems.push(`local connections are refused: ${full}`);
    return problems;
  }

  /** Ends everything in order, within a bound. The first reason is the one logged. */
  stop(reason: string): Promise<void> {
    this.#stopping ??= this.#stop(reason).finally(this.#end.resolve);
    return this.#stopping;
  }

  async #begin(): Promise<void> {
    const { paths, log, limits, foreground, memory = [] } = this.#options;
    const control = await ControlServer.listen(
      paths.controlSocket,
      controlHandlers(this),
      log,
      limits,
    );
    this.#control = control;
    control.onClientsChanged(() => this.#ending.look());
    if (!this.#lock.isOurs()) {
      await control.close();
      throw new EpmuxError('DAEMON_BUSY', `another daemon has taken ${paths.stateDir}`);
    }
    log.info('the daemon has started', {
      pid: process.pid,
      version: VERSION,
      epmdPort: this.leading.epmdPort,
    });
    if (foreground !== true) this.tunnels.restore(memory);
    this.#ending.look();
  }

  async #stop(reason: string): Promise<void> {
    const { log } = this.#options;
    log.info('the daemon ends', { reason });
    this.#ending.close();
    this.#surroundings.close();
    await this.#control?.close();
    this.execBroker.close();
    await within(this.clock, CLOSE_MS, this.tunnels.close()).catch((error: unknown) =>
      log.error('the tunnels did not end in order', { why: messageOf(error) }),
    );
    await Promise.all([this.#naming.close(), endCommands()]);
    this.#lock.release();
    await log.close();
  }

  #createTunnels(): Tunnels {
    const { paths, log, clock, foreground } = this.#options;
    return new Tunnels({
      parts: this.#tunnelParts(),
      state: this.#state,
      secrets: new SecretStore(paths.secretsDir),
      redactor: log.redactor,
      remember: foreground !== true,
      clock,
      logger: log,
      onDown: () => this.#ending.onDown(),
      onChanged: () => this.supervised?.onChanged(),
    });
  }

  /** Looks at what may have changed around this process: the network, its files. */
  #watchSurroundings(): Surroundings {
    const { paths, log, clock } = this.#options;
    return new Surroundings({
      clock,
      onChanged: (what) => {
        log.info(`${what}: looking at every link`);
        lookUps.outdate();
        for (const tunnel of this.tunnels.all) tunnel.onSurroundingsChanged();
      },
      eager: () => this.tunnels.all.some((tunnel) => tunnel.isReconnecting),
      onLook: () => {
        this.#lock.keep();
        void this.#state.retry();
        void this.tunnels.retry();
        void this.#naming.retry();
        void this.#control?.look(() => ensureRuntimeFolder(paths));
      },
    });
  }

  #tunnelParts(): TunnelParts {
    const { env, log, limits, clock, createDynos } = this.#options;
    const config = sessionConfigOf(limits);
    return {
      addresses: this.#naming.addresses,
      names: this.#naming.names,
      localCookie: this.localCookie,
      createSession: (id) => new Session('daemon', config, id, clock.now()),
      limits,
      descriptors: this.#descriptors,
      createDynos: (spec, secrets) =>
        createDynos(spec, secrets, { env, limits, clock, logger: log }),
      clock,
      logger: log,
    };
  }
}
