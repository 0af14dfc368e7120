import { cookieOfVariables } from '../erlang/cookie.ts';
import { messageOf } from '../protocol/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { within } from '../runtime/wait.ts';
import type { TunnelSecrets } from './tunnel-secrets.ts';

const SECRET_VARIABLE = 'EPMUX_SECRET';
/**
 * A secret that was found before in this dyno's life serves again when the config vars have not
 * come by then.
 */
const KNOWN_AFTER_MS = 2_000;

/** A local connection waits for its cookie; Erlang gives it up after 7 s (`net_setuptime`). */
const COOKIE_MS = 4_000;

type Variables = () => Promise<Readonly<Record<string, string>>>;

/**
 * Secret and cookie for one life of a dyno: given with the tunnel, else what the app's processes
 * have in their environment.
 */
export class DynoSecrets {
  readonly #given: TunnelSecrets;
  readonly #variables: Variables;
  readonly #logger: Logger;
  readonly #clock: Clock;
  /** Config vars do not change within the life of a dyno: there was one, or there was none. */
  #appCookie: { readonly found: string | undefined } | undefined;
  #appSecret: string | undefined;

  /** `variables`: as `Dynos.variables`. */
  constructor(given: TunnelSecrets, variables: Variables, clock: Clock, logger: Logger) {
    this.#given = given;
    this.#variables = variables;
    this.#clock = clock;
    this.#logger = logger;
  }

  /**
   * For nodes whose cookie no agent knows. Undefined also while the config vars can't be had: a
   * local node may have the right one all the same.
   */
  async cookie(): Promise<string | undefined> {
    const given = await this.#given.cookie();
    if (given !== undefined) return given;
    if (this.#appCookie === undefined) {
      await within(this.#clock, COOKIE_MS, this.#askForCookie());
    }
    return this.#appCookie?.found;
  }

  /**
   * Given with `up` or kept from it, else what the app tells its own agent. Fails when the config
   * vars can't be had.
   */
  async secret(): Promise<string | undefined> {
    const given = await this.#given.secret();
    if (given !== undefined) return given;
    const known = this.#appSecret;
    const asked = this.#askForSecret();
    return known === undefined ? asked : this.#soon(asked, known);
  }

  async #askForSecret(): Promise<string | undefined> {
    const { [SECRET_VARIABLE]: variable } = await this.#variables();
    this.#appSecret = variable?.trim() || undefined;
    return this.#appSecret;
  }

  /** The dyno is there whether or not its platform answers. */
  async #soon(asked: Promise<string | undefined>, known: string): Promise<string | undefined> {
    const answer = asked.then(
      (secret) => ({ secret }),
      () => undefined,
    );
    const { secret } = (await within(this.#clock, KNOWN_AFTER_MS, answer)) ?? { secret: known };
    return secret;
  }

  async #askForCookie(): Promise<void> {
    try {
      this.#appCookie = { found: cookieOfVariables(await this.#variables()) };
    } catch (error) {
      const reason = messageOf(error);
      this.#logger.warn('no cookie can be looked for in the config vars', { reason });
    }
  }
}
