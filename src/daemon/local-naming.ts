import type { Clock } from '../runtime/clock.ts';
import type { Environment } from '../runtime/environment.ts';
import type { Logger } from '../runtime/logger.ts';
import { Addresses } from './addresses.ts';
import type { Leading } from './control/api.ts';
import { hostsText, inetrcText } from './inetrc.ts';
import { KeptFile } from './kept-file.ts';
import type { DaemonLimits } from './limits.ts';
import { NameTable } from './names.ts';
import { OwnHosts } from './own-hosts.ts';
import type { DaemonPaths } from './paths.ts';
import type { StateStore } from './state.ts';
import { upstreamEpmd } from './upstream.ts';
import { VirtualEpmd } from './virtual-epmd.ts';

export interface LocalNamingOptions {
  readonly paths: DaemonPaths;
  readonly env: Environment;
  readonly state: StateStore;
  readonly limits: DaemonLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: those of this machine. */
  readonly ownHosts?: OwnHosts;
}

/**
 * Everything that local nodes are led by: the virtual epmd, the hosts file, and the tables behind
 * them.
 */
export class LocalNaming {
  readonly names: NameTable;
  readonly addresses: Addresses;
  readonly leading: Leading;
  readonly #epmd: VirtualEpmd;
  /** A running node reads it again within 5 s. */
  readonly #hosts: KeptFile;
  readonly #inetrc: KeptFile;
  readonly #ownHosts: OwnHosts;
  readonly #moved: string | undefined;
  #closing: Promise<void> | undefined;

  private constructor(
    options: LocalNamingOptions,
    parts: { readonly epmd: VirtualEpmd; readonly names: NameTable },
  ) {
    const { paths, state, logger } = options;
    const { epmd, names } = parts;
    this.names = names;
    this.#epmd = epmd;
    this.#ownHosts = options.ownHosts ?? new OwnHosts();
    this.#hosts = new KeptFile('hosts', paths.hostsFile, logger);
    this.#inetrc = new KeptFile('inetrc', paths.inetrcFile, logger);
    this.leading = { epmdPort: epmd.port, inetrc: paths.inetrcFile };
    this.addresses = new Addresses({
      isOwn: (host) => this.#ownHosts.has(host),
      open: (address) => epmd.listenOn(address),
      close: (address) => epmd.stopOn(address),
      inUse: (host) => names.hasHost(host),
    });
    const { epmdPort } = state.state;
    if (epmdPort !== undefined && epmdPort !== epmd.port) {
      this.#moved = `port ${epmdPort} was taken, the virtual epmd is on ${epmd.port}: shells have to run \`epmux env\` again`;
      logger.warn(this.#moved);
    }
    names.onChange(() => this.#writeHosts());
    names.localNames((short) => epmd.hasLocal(short));
  }

  /**
   * PORT_TAKEN when no port for the virtual epmd can be had. Files that can't be written are a
   * problem, not a failure.
   */
  static async start(options: LocalNamingOptions): Promise<LocalNaming> {
    const { paths, env, state, limits, clock, logger } = options;
    const { epmdPort } = state.state;
    const names = new NameTable();
    const upstream = upstreamEpmd(env, { epmdPort, inetrc: paths.inetrcFile });
    const epmd = await VirtualEpmd.start({
      port: epmdPort,
      names,
      upstream,
      limits,
      clock,
      logger,
    });
    const naming = new LocalNaming(options, { epmd, names });
    await naming.#inetrc.set(inetrcText(paths.hostsFile));
    await naming.#writeHosts();
    await state.update((old) => ({ ...old, epmdPort: epmd.port }));
    return naming;
  }

  get problems(): readonly string[] {
    return [this.#moved, this.#inetrc.problem?.message, this.#hosts.problem?.message].filter(
      (problem) => problem !== undefined,
    );
  }

  /**
   * Learns by what other names this machine goes now, and writes again what could not be written,
   * or is gone.
   */
  async retry(): Promise<void> {
    if (this.#ownHosts.look()) await this.#writeHosts();
    else await this.#hosts.retry();
    await this.#inetrc.retry();
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closing ??= Promise.all([this.#epmd.close(), this.names.told()]).then(() => undefined);
    return this.#closing;
  }

  #writeHosts(): Promise<void> {
    const hosts = this.names.hosts();
    // A dyno's host that is led to already stays where its nodes are.
    const own = this.#ownHosts.all.filter((name) => !hosts.has(name));
    return this.#hosts.set(hostsText(hosts, own));
  }
}
