import { hostname } from 'node:os';
import { beamProcesses } from './beam-processes.ts';

/**
 * The full name that the node of this short name was started with, as its process tells: for one
 * that tells nobody else. Undefined: no process of this user tells, or two tell different names.
 * Never fails.
 */
export async function givenName(
  short: string,
  { proc, uid }: { readonly proc: string; readonly uid: number },
): Promise<string | undefined> {
  const [host = ''] = hostname().split('.');
  const beams = await beamProcesses(proc, uid);
  const names = beams.flatMap(({ node, hasShortName }) => {
    if (node === short) return hasShortName ? [`${short}@${host}`] : [];
    return node?.startsWith(`${short}@`) === true ? [node] : [];
  });
  const [name, ...others] = new Set(names);
  return others.length === 0 ? name : undefined;
}
