import { ExtraCa } from '../heroku/extra-ca.ts';
import { proxySettings } from '../heroku/proxy.ts';
import { type HerokuSettings, herokuSettings } from '../heroku/settings.ts';
import type { Clock } from '../runtime/clock.ts';
import { withoutSecrets } from '../runtime/environment.ts';
import { homeFolder } from '../runtime/home.ts';
import type { Logger } from '../runtime/logger.ts';
import { createDialer, createTransport } from '../transport/create.ts';
import type { TunnelSpec } from './control/api.ts';
import { type Dynos, oneDyno } from './dynos.ts';
import { Formation, type FormationOptions } from './formation.ts';
import { HerokuApp } from './heroku-app.ts';
import type { TunnelSecrets } from './tunnel-secrets.ts';

export interface DynosSurroundings {
  /** Also says where Heroku is (src/heroku/settings.ts). */
  readonly env: NodeJS.ProcessEnv;
  readonly limits: FormationOptions['limits'];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** As `createDynos`. */
export type CreateDynos = typeof createDynos;

/** Where a tunnel leads. Throws USAGE or CONFIG_INVALID when that can't be understood. */
export function createDynos(
  spec: TunnelSpec,
  secrets: TunnelSecrets,
  { env, limits, clock, logger }: DynosSurroundings,
): Dynos {
  const { way, via, agentPort } = spec;
  if (way.kind !== 'heroku') {
    return oneDyno(() => {
      const { acceptHostKey, sshAuthSock = env['SSH_AUTH_SOCK'] } = secrets.given;
      return createTransport(way, {
        agentPort,
        via,
        acceptHostKey,
        onHostKeyKept: (fingerprint) => secrets.dropHostKey(fingerprint),
        sshAuthSock,
        env: withoutSecrets(env),
        home: homeFolder(env),
        clock,
        logger,
      });
    });
  }
  const settings = (): HerokuSettings => herokuSettings(secrets.given.herokuVariables ?? env);
  settings();
  const extraCa = new ExtraCa();
  const app = new HerokuApp({
    app: way.app,
    settings,
    proxy: () => proxySettings(secrets.given.proxyVariables ?? env, via),
    extraCa: () => extraCa.from(secrets.given.extraCaFile),
    token: () => secrets.given.herokuToken,
    ahead: secrets.ahead,
    home: homeFolder(env),
    dial: createDialer(via, clock),
    agentPort,
    attemptMs: limits.attemptMs,
    clock,
    logger,
  });
  return new Formation({ app, selectors: way.dynos, limits, clock, logger });
}
