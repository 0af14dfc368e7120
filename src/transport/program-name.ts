/**
 * What a shell command is called: by its program's name alone, for arguments and assigned variables
 * may hold secrets; `sh` where it begins otherwise.
 */
export function programName(command: string): string {
  const program = /^\s*(?:exec\s+)?([\w./+-]+)(?:\s|$)/.exec(command)?.[1];
  return program?.split('/').at(-1) || 'sh';
}
