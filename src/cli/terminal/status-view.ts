import type {
  DaemonStatus,
  ErrorStatus,
  LinkState,
  LinkStatus,
  NodeStatus,
  TunnelStatus,
} from '../../daemon/control/api.ts';
import { alignColumns } from './columns.ts';
import { printable } from './printable.ts';
import type { Paint } from './style.ts';
import { count, formatBytes, formatDuration, formatRtt } from './units.ts';

const STATE_STYLE = {
  connecting: 'yellow',
  up: 'green',
  reconnecting: 'yellow',
  down: 'dim',
  failed: 'red',
} as const satisfies Record<LinkState, string>;

/**
 * `status` for a person: a line for each tunnel, its links, nodes and last error below it.
 * `wallNow` in ms since the epoch.
 */
export function renderStatus(status: DaemonStatus, paint: Paint, wallNow: number): string[] {
  const problems = [...(status.daemon.problems ?? []), ...crashes(status.daemon, wallNow)].map(
    (problem) => `${paint('yellow', 'daemon')}  ${printable(problem)}`,
  );
  const tunnels = status.tunnels.map((tunnel) => renderTunnel(tunnel, paint, wallNow));
  if (tunnels.length === 0) tunnels.push(['no tunnel is up']);
  const blocks = problems.length === 0 ? tunnels : [problems, ...tunnels];
  return blocks.flatMap((block, index) => (index === 0 ? block : ['', ...block]));
}

/** For so long a crash is news. */
const NEWS_MS = 24 * 3_600_000;

/** What is to be known of crashes: nothing when the last one is a day ago. */
export function crashes(
  { restarts = 0, lastCrash = null }: DaemonStatus['daemon'],
  wallNow: number,
): string[] {
  if (lastCrash === null) return [];
  const agoMs = wallNow - Date.parse(lastCrash.at);
  if (Number.isNaN(agoMs) || agoMs > NEWS_MS) return [];
  const again = restarts === 0 ? '' : `started again ${count(restarts, 'time')}; `;
  const when = `${formatDuration(Math.max(0, agoMs))} ago`;
  return [`${again}its last crash, ${when}: ${lastCrash.reason} (${lastCrash.report})`];
}

function renderTunnel(tunnel: TunnelStatus, paint: Paint, wallNow: number): string[] {
  const facts = [
    paint('bold', printable(tunnel.name)),
    paint(STATE_STYLE[tunnel.state], tunnel.state) + ago(tunnel.since, wallNow, ' for '),
    printable(tunnel.target),
    ...(tunnel.reconnects > 0 ? [count(tunnel.reconnects, 'reconnect')] : []),
  ];
  return [
    facts.join('  '),
    ...indented(alignColumns(tunnel.links.map((link) => linkRow(link, paint)))),
    ...indented(renderNodes(tunnel.nodes, paint)),
    ...indented(leftOutLine(tunnel, paint)),
    ...indented(tunnel.nodes.flatMap((node) => cutLine(node, paint, wallNow))),
    ...(tunnel.lastError === null ? [] : indented([errorLine(tunnel.lastError, paint, wallNow)])),
  ];
}

function linkRow(link: LinkStatus, paint: Paint): string[] {
  return [
    paint('dim', link.dyno === null ? 'link' : printable(link.dyno)),
    paint(STATE_STYLE[link.state], link.state),
    link.agent === 'pushed' ? 'pushed agent' : link.mode,
    link.rttMs === null ? '' : `rtt ${formatRtt(link.rttMs)}`,
    count(link.streams, 'stream'),
    `${formatBytes(link.bytesIn)} in`,
    `${formatBytes(link.bytesOut)} out`,
    link.resumes > 0
      ? `${count(link.resumes, 'resume')}, ${formatDuration(link.outageMs)} away`
      : '',
    link.whyDirect === null ? '' : paint('dim', printable(link.whyDirect)),
  ];
}

/** The nodes of one tunnel, for `up` and `status`. */
export function renderNodes(nodes: readonly NodeStatus[], paint: Paint): string[] {
  return alignColumns(
    nodes.map((node) => [
      paint('dim', 'node'),
      printable(node.name),
      ...(node.dyno === null ? [] : [printable(node.dyno)]),
      `${node.address}:${node.port}`,
      node.state === 'up' ? '' : paint('yellow', node.state),
      node.unreachable === undefined ? '' : paint('yellow', printable(node.unreachable)),
    ]),
  );
}

function leftOutLine({ nodesLeftOut }: TunnelStatus, paint: Paint): string[] {
  return nodesLeftOut === undefined
    ? []
    : [paint('yellow', `and ${count(nodesLeftOut, 'more node')}`)];
}

function cutLine({ name, lastCut }: NodeStatus, paint: Paint, wallNow: number): string[] {
  if (lastCut === undefined) return [];
  return [`${paint('dim', 'last cut')}  ${printable(name)}: ${errorText(lastCut, wallNow)}`];
}

function errorLine(error: ErrorStatus, paint: Paint, wallNow: number): string {
  return `${paint('dim', 'last error')}  ${errorText(error, wallNow)}`;
}

function errorText({ message, code, at }: ErrorStatus, wallNow: number): string {
  const when = ago(at, wallNow, '');
  return `${printable(message)} (${code})${when === '' ? '' : `, ${when} ago`}`;
}

function ago(iso: string, wallNow: number, lead: string): string {
  const then = Date.parse(iso);
  return Number.isNaN(then) ? '' : lead + formatDuration(Math.max(0, wallNow - then));
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
