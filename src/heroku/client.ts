import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { herokuCredentials } from './credentials.ts';
import { type ExecManager, execManager } from './exec-manager.ts';
import { type Platform, platformApi } from './platform.ts';
import type { ProxySettings } from './proxy.ts';
import type { HerokuSettings } from './settings.ts';
import { trustIn } from './trust.ts';

export interface HerokuClientOptions {
  readonly app: string;
  readonly settings: HerokuSettings;
  readonly proxy: ProxySettings | undefined;
  /** Certificates in PEM that count besides those that this process trusts by itself. */
  readonly extraCa?: string | undefined;
  /** HEROKU_API_KEY of whoever asks; without it ~/.netrc counts. */
  readonly apiKey: string | undefined;
  /** Where `.netrc` is. */
  readonly home: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random?: () => number;
  /** As in `HttpPorts`. */
  readonly patienceMs?: number;
}

/** Both of Heroku's services for one app, with one set of credentials. */
export interface HerokuClient {
  readonly platform: Platform;
  /** `addonUrl`: the app's config var HEROKU_EXEC_URL (`addonUrlOf`). Throws CONFIG_INVALID. */
  manager(addonUrl: string | undefined): ExecManager;
}

export function herokuClient(options: HerokuClientOptions): HerokuClient {
  const { app, settings, proxy, extraCa, apiKey, home, clock, logger } = options;
  const { random = Math.random, patienceMs } = options;
  const apiHost = new URL(settings.apiUrl).host;
  const credentials = herokuCredentials({ apiKey, apiHost, home });
  const trust = extraCa === undefined ? undefined : trustIn(extraCa);
  const http = { clock, random, logger, proxy, trust, patienceMs };
  return {
    platform: platformApi({ app, settings, credentials, http }),
    manager: (addonUrl) => execManager({ app, settings, addonUrl, credentials, http }),
  };
}
