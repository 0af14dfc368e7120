/** Variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

const SECRET_VARIABLES = ['EPMUX_SECRET', 'EPMUX_COOKIE'] as const;

/** The environment for processes that have no business with epmux's secrets. */
export function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const rest = { ...env };
  for (const name of SECRET_VARIABLES) delete rest[name];
  return rest;
}
