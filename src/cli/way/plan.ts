import { dirname, resolve } from 'node:path';
import { LONGEST, type TunnelSpec, type UpSecrets } from '../../daemon/control/api.ts';
import { apiKeyVariable } from '../../heroku/credentials.ts';
import { EXTRA_CA_VARIABLE, readExtraCa } from '../../heroku/extra-ca.ts';
import { proxySettings, proxyVariables } from '../../heroku/proxy.ts';
import { herokuVariables } from '../../heroku/settings.ts';
import { EpmuxError, ERROR_CODES } from '../../protocol/errors.ts';
import type { Environment } from '../../runtime/environment.ts';
import { didYouMean } from '../../runtime/spelling.ts';
import { type ConfigurationFile, loadConfiguration } from '../config/file.ts';
import { lineOfKey } from '../config/lines.ts';
import { usualApp, withAppOfRemote } from './app.ts';
import type { WayInput } from './options.ts';
import { type Label, namesWay, optionLabel, tunnelSpec, withAbsolutePaths } from './spec.ts';
import { cookieVariable, trimmedVariable, variable } from './variables.ts';

const WAYS_HINT = 'give -a APP, -r REMOTE, --ssh, --connect or --command';

/**
 * Which tunnel `up` is about. A way on the command line stands alone; otherwise the tunnel comes
 * from the configuration file, and what else the command line says wins over it; without either it
 * leads to the Heroku app of the folder's git remote. Throws USAGE, CONFIG_INVALID,
 * TUNNEL_NOT_FOUND or APP_NOT_FOUND.
 */
export async function planTunnel(
  name: string | undefined,
  input: WayInput,
  cwd: string,
  env: Environment,
): Promise<TunnelSpec> {
  const spoken = withAbsolutePaths(input, cwd, env);
  if (namesWay(input)) {
    const way = await withAppOfRemote(spoken, optionLabel, cwd, env);
    return tunnelSpec(name, way, optionLabel);
  }
  const found = loadConfiguration(cwd, env);
  const configuredNames = Object.keys(found?.configuration.tunnels ?? {});
  if (name === undefined && configuredNames.length === 0) {
    return tunnelSpec(name, { ...spoken, app: await impliedApp(cwd, env) }, optionLabel);
  }
  const [chosen, written, file] = chooseConfigured(name, found);
  const folder = dirname(file.path);
  const keyLabel: Label = (key) => `${key} in [tunnels.${chosen}]`;
  const configured = await inFile(file, chosen, async () => {
    const paths = withAbsolutePaths(written, folder, env);
    const way = await withAppOfRemote(paths, keyLabel, folder, env);
    tunnelSpec(chosen, way, keyLabel);
    return way;
  });
  const merged = { ...configured, ...definedOnly(spoken) };
  return tunnelSpec(chosen, merged, (key) =>
    spoken[key] === undefined ? keyLabel(key) : optionLabel(key),
  );
}

async function impliedApp(cwd: string, env: Environment): Promise<string> {
  try {
    return await usualApp(cwd, env);
  } catch (cause) {
    if (!EpmuxError.is(cause, 'USAGE')) throw cause;
    throw new EpmuxError('USAGE', `it is not said where the tunnel leads (${cause.message})`, {
      cause,
      hint: `${WAYS_HINT}, or write a [tunnels.NAME] into epmux.toml`,
      details: { unsaid: 'way' },
    });
  }
}

/** What a tunnel is brought up with besides where it leads. Throws CONFIG_INVALID. */
export function upSecrets(spec: TunnelSpec, env: Environment): UpSecrets {
  const secret = trimmedVariable(env, 'EPMUX_SECRET', LONGEST.secret);
  const cookie = cookieVariable(env);
  const sshAuthSock = variable(env, 'SSH_AUTH_SOCK', LONGEST.path);
  const isHeroku = spec.way.kind === 'heroku';
  const herokuToken = isHeroku ? apiKeyVariable(env['HEROKU_API_KEY']) : undefined;
  return {
    ...(secret && spec.secretFile === undefined ? { secret } : {}),
    ...(cookie && spec.cookieFile === undefined ? { cookie } : {}),
    ...(sshAuthSock ? { sshAuthSock } : {}),
    ...(herokuToken ? { herokuToken } : {}),
    ...(isHeroku ? usableVariables(spec, env) : {}),
  };
}

/** A file that is named wins over a variable: one that is set all the same was perhaps meant. */
export function unusedVariables(spec: TunnelSpec, env: Environment): readonly string[] {
  const { name, secretFile, cookieFile } = spec;
  const files = { EPMUX_SECRET: secretFile, EPMUX_COOKIE: cookieFile };
  return Object.entries(files).flatMap(([variable, file]) =>
    file !== undefined && env[variable]?.trim()
      ? [`${variable} is not used: ${name} takes what is in ${file}`]
      : [],
  );
}

const LONG_LISTS = /^(no_proxy|HEROKU_HEADERS)$/i;

/**
 * A proxy that can't be understood, and certificates that can't be read, are told here, before
 * anything is begun; where Heroku is, by whoever asks it.
 */
function usableVariables(
  { via }: TunnelSpec,
  env: Environment,
): Pick<UpSecrets, 'herokuVariables' | 'proxyVariables' | 'extraCaFile'> {
  proxySettings({ ...env }, via);
  const given = {
    herokuVariables: herokuVariables({ ...env }),
    proxyVariables: proxyVariables({ ...env }),
  };
  for (const name of Object.values(given).flatMap(Object.keys)) {
    variable(env, name, LONG_LISTS.test(name) ? LONGEST.list : LONGEST.url);
  }
  const extraCaFile = variable(env, EXTRA_CA_VARIABLE, LONGEST.path);
  if (extraCaFile === undefined) return given;
  const path = resolve(extraCaFile);
  readExtraCa(path);
  return { ...given, extraCaFile: path };
}

function chooseConfigured(
  name: string | undefined,
  file: ConfigurationFile | undefined,
): [string, WayInput, ConfigurationFile] {
  const tunnels = new Map(Object.entries(file?.configuration.tunnels ?? {}));
  const names = [...tunnels.keys()];
  const chosen = name ?? (names.length === 1 ? names[0] : undefined);
  const configured = chosen === undefined ? undefined : tunnels.get(chosen);
  if (chosen !== undefined && configured !== undefined && file !== undefined) {
    return [chosen, configured, file];
  }
  if (chosen !== undefined) {
    const where = file === undefined ? 'there is no epmux.toml' : `${file.path} has none`;
    const message = `no tunnel ${chosen} is configured (${where})${didYouMean(chosen, names)}`;
    throw new EpmuxError('TUNNEL_NOT_FOUND', message, {
      hint: `${WAYS_HINT}, or write [tunnels.${chosen}] into epmux.toml`,
    });
  }
  throw new EpmuxError('USAGE', 'several tunnels are configured and none is named', {
    hint: `name one of ${names.join(', ')}`,
  });
}

/**
 * Reads what the file says of a tunnel. What is wrong with that is told with the line:
 * CONFIG_INVALID.
 */
async function inFile<T>(
  { path, text }: ConfigurationFile,
  name: string,
  read: () => Promise<T>,
): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (!EpmuxError.is(cause, 'USAGE')) throw cause;
    const { message, hint, details } = cause;
    const key = details?.['key'];
    const line = lineOfKey(text, ['tunnels', name, ...(key === undefined ? [] : [key])]);
    throw new EpmuxError('CONFIG_INVALID', `${path}:${line}: ${message}`, {
      cause,
      ...(hint === ERROR_CODES.USAGE.hint ? {} : { hint }),
    });
  }
}

/** Without the keys that nothing was said of. */
export function definedOnly(input: WayInput): WayInput {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
}
