import { type HerokuClient, herokuClient } from '../../heroku/client.ts';
import { proxySettings } from '../../heroku/proxy.ts';
import { herokuSettings } from '../../heroku/settings.ts';
import { systemClock } from '../../runtime/clock.ts';
import { homeFolder } from '../../runtime/home.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Io } from '../io.ts';

/** Heroku with the credentials, and by the way, of whoever calls. Throws CONFIG_INVALID. */
export function callersHeroku(
  app: string,
  via: string | undefined,
  { env }: Pick<Io, 'env'>,
  logger: Logger,
): HerokuClient {
  return herokuClient({
    app,
    settings: herokuSettings({ ...env }),
    proxy: proxySettings({ ...env }, via),
    apiKey: env['HEROKU_API_KEY'],
    home: homeFolder(env),
    clock: systemClock,
    logger,
  });
}
