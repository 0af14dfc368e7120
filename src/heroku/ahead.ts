import type { Dyno, Reservation } from './answers.ts';
import type { HerokuClient } from './client.ts';
import { formationOf } from './formation.ts';
import { nextSshKeys, type SshKeyPair } from './keys.ts';
import { addonUrlOf, type ExecFacts, execFacts, execObstacle } from './preflight.ts';

/**
 * What Heroku has told of an app before whoever needs it is there. Plain data, so that a daemon can
 * be given it. Config vars and the private key are secrets: in memory only, never logged.
 */
export interface HerokuAhead {
  readonly facts: ExecFacts;
  readonly dynos: readonly Dyno[];
  readonly keys: SshKeyPair;
  /** By the dynos' names: how the holder of the keys gets in. */
  readonly reservations: Readonly<Record<string, Reservation>>;
}

/** The others are registered by whoever needs them, at a pace that spares the exec manager. */
const MAX_RESERVATIONS = 5;

/** What comes first whichever dynos are wanted. Changes nothing at Heroku. */
export interface FirstQuestions {
  readonly facts: Promise<ExecFacts>;
  readonly dynos: Promise<readonly Dyno[]>;
}

/** Asks at once. What fails waits for whoever wants the answer. */
export function askFirst({ platform }: HerokuClient, signal: AbortSignal): FirstQuestions {
  const facts = execFacts(platform, signal);
  const dynos = platform.dynos(signal);
  for (const asked of [facts, dynos]) asked.catch(() => undefined);
  return { facts, dynos };
}

/**
 * Asks what a way into the selected dynos takes. Throws what the client throws; whoever asks again
 * then learns it.
 */
export async function askAhead(
  client: HerokuClient,
  selectors: readonly string[],
  signal: AbortSignal,
  first: FirstQuestions = askFirst(client, signal),
): Promise<HerokuAhead> {
  const [facts, dynos, keys] = await Promise.all([first.facts, first.dynos, nextSshKeys()]);
  if (execObstacle(facts) !== undefined) return { facts, dynos, keys, reservations: {} };
  const manager = client.manager(addonUrlOf(facts));
  const { wanted } = formationOf(dynos, selectors);
  const running = wanted.filter(({ isUp }) => isUp).slice(0, MAX_RESERVATIONS);
  const reserved = running.map(async ({ name }) => {
    const reservation = await manager.register(name, keys.publicKey, signal);
    return [name, reservation] as const;
  });
  const settled = await Promise.allSettled(reserved);
  // What one dyno refuses is told when it is connected to.
  const made = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  return { facts, dynos, keys, reservations: Object.fromEntries(made) };
}
