import { readFileSync } from 'node:fs';
import type { TunnelSpec } from './control/api.ts';
import type { DaemonPaths } from './paths.ts';
import { readState } from './state.ts';

/** The tunnels that a daemon would bring back; none where nothing can be read. */
export function writtenDown({ stateFile }: DaemonPaths): readonly TunnelSpec[] {
  try {
    return readState(readFileSync(stateFile, 'utf8')).tunnels;
  } catch {
    return [];
  }
}
