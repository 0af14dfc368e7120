import { Exit, type ExitCode } from '../../protocol/errors.ts';
import { jsonText } from '../../protocol/text.ts';
import { defineCommand, JSON_OPTION } from '../command.ts';
import { withDaemon } from '../daemon.ts';
import { alignColumns } from '../terminal/columns.ts';
import { printable } from '../terminal/printable.ts';

export const nodes = defineCommand({
  name: 'nodes',
  about: 'Every reachable node, one a line: name, tunnel, dyno, local address.',
  options: { json: JSON_OPTION },
  examples: [
    ['nodes', 'name, tunnel, dyno (or -), address; "stale" while its link is away'],
    ['nodes --json', 'for a script'],
  ],
  async run({ options }, io): Promise<ExitCode> {
    const { tunnels } = await withDaemon(io, (daemon) =>
      daemon.call('status', {}, { signal: io.interrupted }),
    );
    const found = tunnels.flatMap((tunnel) =>
      tunnel.nodes.map(({ name, ...node }) => ({ name, tunnel: tunnel.name, ...node })),
    );
    for (const { name, nodesLeftOut } of tunnels) {
      if (nodesLeftOut !== undefined) io.talk(`${printable(name)} has ${nodesLeftOut} more`);
    }
    if (options.json === true) {
      io.out(jsonText({ nodes: found }));
      return Exit.done;
    }
    const rows = found.map((node) => [
      printable(node.name),
      printable(node.tunnel),
      node.dyno === null ? '-' : printable(node.dyno),
      `${node.address}:${node.port}`,
      node.state === 'up' ? '' : node.state,
      node.unreachable === undefined ? '' : `(${printable(node.unreachable)})`,
    ]);
    for (const line of alignColumns(rows)) io.out(line);
    if (found.length === 0) io.talk('no node is reachable: `epmux status` shows why');
    return Exit.done;
  },
});
