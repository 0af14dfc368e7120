import type { AnyAuthMethod, ParsedKey } from 'ssh2';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Identity, IdentitySet } from './identities.ts';

/** Chooses what to try next until the server lets the user in or nothing is left. */
export class Authenticator {
  readonly #user: string;
  readonly #host: string;
  readonly #set: IdentitySet;
  readonly #left: Identity[];
  readonly #tried: Identity[] = [];
  #askedForMethods = false;

  constructor(user: string, host: string, set: IdentitySet) {
    this.#user = user;
    this.#host = host;
    this.#set = set;
    this.#left = [...set.identities];
  }

  /**
   * `methods`: what the server still takes, as far as it has said. An error: nothing is left to
   * try.
   */
  next(methods: readonly string[] | null, partial: boolean | null): AnyAuthMethod | EpmuxError {
    const username = this.#user;
    if (!this.#askedForMethods) {
      this.#askedForMethods = true;
      return { type: 'none', username };
    }
    if (methods !== null && !methods.includes('publickey')) {
      const after = partial === true ? 'took the key and wants more' : 'takes no keys';
      return this.refused(`the server ${after} (${methods.join(', ')})`);
    }
    const identity = this.#left.shift();
    if (identity === undefined) return this.refused();
    if (identity.kind === 'agent') {
      this.#tried.push(identity);
      return { type: 'agent', username, agent: identity.agent };
    }
    if (this.#offeredByAgent(identity.key.getPublicSSH())) return this.next(methods, partial);
    this.#tried.push(identity);
    return { type: 'publickey', username, key: identity.key as unknown as Buffer };
  }

  /** The key that the server was told of; undefined: there is none such, or it was tried. */
  get registered(): ParsedKey | undefined {
    const [identity] = this.#left;
    return this.#set.isRegistered === true && identity?.kind === 'key' ? identity.key : undefined;
  }

  /** It was shown without a question. */
  useRegistered(): void {
    this.#tried.push(...this.#left.splice(0, 1));
  }

  /** `why`: what the server said, when it said something. */
  refused(why?: string): EpmuxError {
    const { unusable } = this.#set;
    const said = why === undefined ? '' : `: ${why}`;
    const keys = this.#tried.filter(
      (identity) => identity.kind === 'key' || identity.agent.offered.length > 0,
    );
    if (why === undefined && keys.length === 0 && unusable.length > 0) {
      return new EpmuxError('SSH_KEY_UNUSABLE', `no key can be used: ${unusable.join(', ')}`);
    }
    const names = this.#tried.map((identity) =>
      identity.kind === 'key' ? identity.name : identity.agent.name,
    );
    const tried = names.length === 0 ? 'no key was tried' : `tried ${names.join(', ')}`;
    const left = unusable.length === 0 ? '' : `; left out ${unusable.join(', ')}`;
    return new EpmuxError(
      'SSH_AUTH_REFUSED',
      `${this.#host} does not let ${this.#user} in${said} (${tried}${left})`,
    );
  }

  /** Servers count each try; a key that ssh-agent holds too is not tried twice. */
  #offeredByAgent(publicKey: Buffer): boolean {
    return this.#tried.some(
      (identity) =>
        identity.kind === 'agent' &&
        identity.agent.offered.some((key) => key.getPublicSSH().equals(publicKey)),
    );
  }
}
