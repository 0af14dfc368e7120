import type { Dyno } from '../heroku/answers.ts';
import type { Transport } from '../transport/transport.ts';

/** The app, as far as a formation asks it. */
export interface FormationApp {
  readonly name: string;
  /** Throws why Exec does not lead into it; gives what a person should know although it does. */
  check(signal: AbortSignal): Promise<readonly string[]>;
  dynos(signal: AbortSignal): Promise<readonly Dyno[]>;
  variables(signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  transport(dyno: string): Transport;
}
