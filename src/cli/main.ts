#!/usr/bin/env node
// Nothing is imported up here: an agent starts its app whatever else is missing, and on a Node that
// is too old for the rest.
const [first, ...rest] = process.argv.slice(2);

/**
 * The agent, the daemon and its supervisor bring their own options and signals, and start without
 * what only commands need.
 */
async function main(): Promise<number> {
  // There are no Unix sockets, signals, shells and terminals as it needs them.
  if (process.platform === 'win32') throw await unsupportedSystem();
  if (first === 'agent') return (await import('../agent/main.ts')).runAgent(rest, process.env);
  const { isOldNode } = await import('../runtime/node-version.ts');
  if (isOldNode(process.versions.node)) throw await unsupportedNode();
  if (first === 'daemon') return (await import('../daemon/main.ts')).runDaemon(rest, process.env);
  if (first === 'supervisor') {
    return (await import('../daemon/supervisor/main.ts')).runSupervisor(rest, process.env);
  }
  return (await import('./program.ts')).runProgram(first, rest, {
    exit,
    fail: (thrown) => void fail(thrown).then(exit),
  });
}

async function unsupportedSystem(): Promise<Error> {
  const { EpmuxError } = await import('../protocol/errors.ts');
  return new EpmuxError('UNSUPPORTED', 'epmux runs on macOS and Linux, not on Windows itself', {
    hint: 'install and run it inside WSL2',
  });
}

async function unsupportedNode(): Promise<Error> {
  const { EpmuxError } = await import('../protocol/errors.ts');
  const { OLDEST_NODE_TEXT } = await import('../runtime/node-version.ts');
  const { node } = process.versions;
  return new EpmuxError('UNSUPPORTED', `epmux does not run on Node ${node}, which is too old`, {
    hint: `install Node ${OLDEST_NODE_TEXT} or newer: it is ${process.execPath} that was found`,
  });
}

/** Never rejects: that would be reported here again, for ever. */
async function fail(thrown: unknown): Promise<number> {
  try {
    return (await import('./program.ts')).reportThrown(thrown);
  } catch (error) {
    process.stderr.write(`epmux: ${messageOf(thrown)} (INTERNAL)\n`);
    process.stderr.write(`hint: install epmux again: ${messageOf(error)}\n`);
    return 1;
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function exit(code: number): void {
  process.exit(code);
}

main().catch(fail).then(exit);
