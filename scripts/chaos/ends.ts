/** The acts that end something for real, and what follows from them. */
import { type Act, ENDS, type End } from './schedule.ts';

/** Names of nodes. */
export interface Nodes {
  readonly me: string;
  readonly beat: string;
  readonly app: string;
  readonly victim: string;
}

export function isEnd(kind: Act['kind']): kind is End {
  return (ENDS as readonly string[]).includes(kind);
}

/**
 * The nodedowns that follow from an end, as `AT OF`: none from that of an agent where there is
 * none.
 */
export function nodedownsAfter(kind: End, nodes: Nodes, hasAgent: boolean): string[] {
  const { me, beat, app, victim } = nodes;
  if (kind === 'end-node') return [`${me} ${victim}`];
  if (kind === 'end-agent' && !hasAgent) return [];
  const pairs = [
    [me, app],
    [me, victim],
    [beat, app],
  ];
  return pairs.flatMap(([a, b]) => [`${a} ${b}`, `${b} ${a}`]);
}
