import type { HerokuAhead } from '../heroku/ahead.ts';
import type { Dyno } from '../heroku/answers.ts';
import { type HerokuClient, herokuClient } from '../heroku/client.ts';
import { herokuTransport } from '../heroku/exec-transport.ts';
import { FirstAnswers } from '../heroku/first-answers.ts';
import { type SshKeyPair, sshKeysOnce } from '../heroku/keys.ts';
import { addonUrlOf, execFacts, execObstacle, execWarnings } from '../heroku/preflight.ts';
import type { ProxySettings } from '../heroku/proxy.ts';
import type { HerokuSettings } from '../heroku/settings.ts';
import { EpmuxError } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Dialer } from '../transport/dial.ts';
import { loadSsh } from '../transport/ssh/load.ts';
import type { Transport } from '../transport/transport.ts';
import { Turns } from './turns.ts';

/**
 * Config vars do not change without a restart of all dynos, each of which may ask for them at the
 * same time.
 */
const VARIABLES_FRESH_MS = 10_000;
/**
 * Between two registrations of a key, beyond the first few: a hundred dynos are no hundred calls a
 * second.
 */
const REGISTER_EVERY_MS = 100;
const REGISTER_BURST = 5;
/**
 * For what is asked within a connection attempt: should Heroku want to be asked later than that,
 * the attempt has failed.
 */
const MAX_PATIENCE_MS = 10_000;
const PATIENCE_SHARE = 1 / 3;

export interface HerokuAppOptions {
  readonly app: string;
  /** Asked for each call anew: another `up` may bring others. */
  readonly settings: () => HerokuSettings;
  /** As `settings`. Undefined: ~/.netrc counts. */
  readonly token: () => string | undefined;
  /** As `settings`. */
  readonly proxy: () => ProxySettings | undefined;
  /** As `settings`: certificates in PEM of whom else it trusts. */
  readonly extraCa: () => string | undefined;
  /** What Heroku has told already. */
  readonly ahead: HerokuAhead | undefined;
  /** Where `.netrc` is. */
  readonly home: string;
  readonly dial: Dialer;
  readonly agentPort: number;
  /** The limit of the attempts that ask. */
  readonly attemptMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Variables = Readonly<Record<string, string>>;

/** One app at Heroku as a tunnel needs it. Calls throw what the clients of src/heroku throw. */
export class HerokuApp {
  readonly name: string;
  readonly #options: HerokuAppOptions;
  /** One pair for the tunnel's life. */
  readonly #keys: () => Promise<SshKeyPair>;
  readonly #first: FirstAnswers;
  #client: { readonly made: string; readonly client: HerokuClient } | undefined;
  #variables: { readonly at: number; readonly found: Promise<Variables> } | undefined;
  #known: Variables | undefined;
  readonly #turns: Turns;

  constructor(options: HerokuAppOptions) {
    const { app, ahead, clock } = options;
    this.name = app;
    this.#options = options;
    this.#first = new FirstAnswers(ahead, clock);
    this.#turns = new Turns({ clock, everyMs: REGISTER_EVERY_MS, burst: REGISTER_BURST });
    this.#keys = sshKeysOnce(ahead === undefined ? undefined : async () => ahead.keys);
  }

  /** Whether Exec leads into it; gives what a person should know although it does. */
  async check(signal: AbortSignal): Promise<readonly string[]> {
    // Made and loaded while Heroku is asked; whoever needs them hears of a failure.
    this.#keys().catch(() => undefined);
    const first = this.#first.facts();
    const asked = first ?? execFacts(this.#now().platform, signal);
    if (first === undefined) loadSsh().catch(() => undefined);
    const facts = await asked;
    const obstacle = execObstacle(facts);
    if (obstacle !== undefined) throw obstacle;
    this.#known = facts.configVars ?? {};
    this.#variables = { at: this.#options.clock.now(), found: Promise.resolve(this.#known) };
    return execWarnings(facts);
  }

  async dynos(signal: AbortSignal): Promise<readonly Dyno[]> {
    return this.#first.dynos() ?? this.#now().platform.dynos(signal);
  }

  /**
   * The app's config vars: secrets. Empty when the key may not read them; while Heroku can't tell,
   * what it told last.
   */
  variables(signal: AbortSignal): Promise<Variables> {
    const now = this.#options.clock.now();
    const known = this.#variables;
    if (known !== undefined && now - known.at < VARIABLES_FRESH_MS) return known.found;
    const found = this.#askForVariables(signal);
    this.#variables = { at: now, found };
    return found;
  }

  transport(dyno: string): Transport {
    const { dial, agentPort, clock, logger } = this.#options;
    return herokuTransport({
      app: this.name,
      dyno,
      manager: {
        register: async (name, key, signal) => {
          const first = this.#first.reservation(name);
          if (first !== undefined) return first;
          await this.#turns.take('waiting for its turn to register a key', signal);
          const addonUrl = await this.#addonUrl(signal);
          return this.#now().manager(addonUrl).register(name, key, signal);
        },
      },
      keys: this.#keys,
      dial,
      agentPort,
      clock,
      logger,
    });
  }

  /**
   * Its credentials may rotate, and the add-on may be removed: where there is one, it is asked for
   * again.
   */
  async #addonUrl(signal: AbortSignal): Promise<string | undefined> {
    const isThere = addonUrlOf({ configVars: this.#known }) !== undefined;
    return isThere ? addonUrlOf({ configVars: await this.variables(signal) }) : undefined;
  }

  #now(): HerokuClient {
    const settings = this.#options.settings();
    const token = this.#options.token();
    const proxy = this.#options.proxy();
    const extraCa = this.#options.extraCa();
    const made = JSON.stringify([settings, token, proxy, extraCa]);
    if (this.#client?.made !== made) {
      const { home, attemptMs, clock, logger } = this.#options;
      const client = herokuClient({
        app: this.name,
        settings,
        proxy,
        extraCa,
        apiKey: token,
        home,
        clock,
        logger,
        patienceMs: Math.min(MAX_PATIENCE_MS, attemptMs * PATIENCE_SHARE),
      });
      this.#client = { made, client };
    }
    return this.#client.client;
  }

  async #askForVariables(signal: AbortSignal): Promise<Variables> {
    try {
      this.#known = await this.#now().platform.configVars(signal);
    } catch (error) {
      if (!(error instanceof EpmuxError)) throw error;
      const { code, message } = error;
      if (code === 'HEROKU_FORBIDDEN') this.#known = {};
      if (this.#known === undefined) {
        this.#variables = undefined;
        throw error;
      }
      this.#options.logger.warn('the config vars can not be asked for', { code, reason: message });
    }
    return this.#known;
  }
}
