import type { StartedDaemon } from '../daemon/start-detached.ts';
import type { FirstQuestions } from '../heroku/ahead.ts';
import type { HerokuClient } from '../heroku/client.ts';

/** A daemon that starts while the command is still being read. */
export interface EarlyDaemon {
  /** Nobody has taken it so far. */
  readonly isWaiting: boolean;
  /** For whoever needs it, who releases it once it answers; once. */
  take(): StartedDaemon | undefined;
  /** Ends it, unless it was released. */
  giveUp(): void;
}

/** What Heroku is asked of an app before it is known what else the command wants. */
export interface HerokuQuestions {
  readonly app: string;
  readonly client: HerokuClient;
  readonly first: FirstQuestions;
  /** Aborted when nobody needs the answers. */
  readonly signal: AbortSignal;
  drop(): void;
}
