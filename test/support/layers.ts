/**
 * Which part may use what (docs/architecture.md), and a look at one source text for what breaks it. Works on the syntax tree, so that types-only imports
 * count and words in comments or strings do not.
 */
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { parseSync } from 'oxc-parser';

/** From the ground up: a part imports itself and what stands before it. */
const PARTS = [
  'protocol',
  'erlang',
  'session',
  'runtime',
  'transport',
  'heroku',
  'agent',
  'daemon',
  'demo',
  'cli',
] as const;
type Part = (typeof PARTS)[number];

const PURE: readonly Part[] = ['protocol', 'erlang', 'session'];
/** Beyond the order: what a part must do without although it stands above. */
const APART: Partial<Record<Part, readonly Part[]>> = {
  agent: ['transport', 'heroku'],
  daemon: ['agent'],
};
/** The agent's bundle holds no package, so neither does anything the agent may import. */
const PACKAGES: Record<Part, readonly string[]> = {
  protocol: [],
  erlang: [],
  session: [],
  runtime: [],
  transport: ['ssh2', 'socks'],
  heroku: ['undici', 'valibot'],
  agent: [],
  daemon: ['winston'],
  demo: ['ssh2'],
  cli: ['yargs', 'smol-toml', 'valibot', 'yocto-spinner'],
};
/** Commands are thin: of the daemon they see its client's side only. */
const DAEMON_FOR_CLI = [
  'daemon/control/api.ts',
  'daemon/control/client.ts',
  'daemon/end-daemon.ts',
  'daemon/exec/client.ts',
  'daemon/expected.ts',
  'daemon/file-error.ts',
  'daemon/main.ts',
  'daemon/paths.ts',
  'daemon/spawn.ts',
  'daemon/start-detached.ts',
  'daemon/supervisor/main.ts',
];
const PURE_BUILTINS = ['node:crypto', 'node:buffer'];
const IMPURE_GLOBALS = [
  'process',
  'performance',
  'fetch',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
];
const IMPURE_MEMBERS = ['Date.now', 'Math.random', 'globalThis.process', 'crypto.getRandomValues'];
const MAY_EXIT = ['cli/main.ts'];
export const MOST_LINES = 280;

interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** Every breach in one file, each as a sentence. `file` is relative to src, with slashes. */
export function breaches(file: string, source: string): string[] {
  const part = PARTS.find((name) => file.startsWith(`${name}/`));
  if (part === undefined) return [`${file} stands in no part`];
  const parsed = parseSync(file, source, { lang: 'ts', sourceType: 'module' });
  if (parsed.errors.length > 0) return [`${file} can't be parsed: ${parsed.errors[0]?.message}`];

  const found: string[] = [];
  const say = (what: string) => found.push(`${file} ${what}`);
  const lines = source.split('\n').length - 1;
  if (lines > MOST_LINES) say(`has ${lines} lines, more than ${MOST_LINES}`);
  walk(parsed.program as unknown as Node, (node, parent) => {
    for (const specifier of importedBy(node)) {
      const why = importBreach(file, part, specifier);
      if (why !== undefined) say(`imports ${specifier}: ${why}`);
    }
    if (PURE.includes(part)) {
      const impure = impurityOf(node, parent);
      if (impure !== undefined) say(`uses ${impure}: ${part} is pure`);
    }
    if (memberName(node) === 'process.exit' && !MAY_EXIT.includes(file)) say('calls process.exit');
  });
  return found;
}

function importBreach(file: string, part: Part, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return relativeBreach(file, part, specifier);
  if (isBuiltin(specifier)) {
    return PURE.includes(part) && !PURE_BUILTINS.includes(specifier)
      ? `${part} is pure`
      : undefined;
  }
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  return PACKAGES[part].includes(name) ? undefined : `no package that ${part} may use`;
}

function relativeBreach(file: string, part: Part, specifier: string): string | undefined {
  const target = path.posix.join(path.posix.dirname(file), specifier);
  const to = PARTS.find((name) => target.startsWith(`${name}/`));
  if (to === undefined) return 'it is outside of every part';
  if (PARTS.indexOf(to) > PARTS.indexOf(part)) return `${part} stands above ${to}`;
  if (APART[part]?.includes(to)) return `${part} knows nothing of ${to}`;
  if (part === 'cli' && to === 'daemon' && !DAEMON_FOR_CLI.includes(target)) {
    return "commands see only the client's side of the daemon";
  }
  return undefined;
}

function importedBy(node: Node): string[] {
  const carriesSource =
    node.type === 'ImportDeclaration' ||
    node.type === 'ExportNamedDeclaration' ||
    node.type === 'ExportAllDeclaration' ||
    node.type === 'ImportExpression' ||
    node.type === 'TSImportType';
  if (!carriesSource || !isNode(node['source'])) return [];
  const value = node['source']['value'];
  return [typeof value === 'string' ? value : '(a computed path)'];
}

function impurityOf(node: Node, parent: Node | undefined): string | undefined {
  const member = memberName(node);
  if (member !== undefined && IMPURE_MEMBERS.includes(member)) return member;
  if (node.type === 'NewExpression' && nameOf(node['callee']) === 'Date') {
    return (node['arguments'] as unknown[]).length === 0 ? 'new Date()' : undefined;
  }
  if (node.type === 'ImportSpecifier') {
    const name = nameOf(node['imported']);
    return name?.startsWith('random') ? `node:crypto's ${name}` : undefined;
  }
  const name = nameOf(node);
  if (name === undefined || !IMPURE_GLOBALS.includes(name)) return undefined;
  return isPropertyName(node, parent) ? undefined : name;
}

/** A field or parameter of that name is no use of the global. */
function isPropertyName(node: Node, parent: Node | undefined): boolean {
  if (parent?.type === 'MemberExpression')
    return parent['property'] === node && !parent['computed'];
  return parent !== undefined && parent['key'] === node;
}

function memberName(node: Node): string | undefined {
  if (node.type !== 'MemberExpression') return undefined;
  const object = nameOf(node['object']);
  const property = nameOf(node['property']) ?? literalOf(node['property']);
  return object !== undefined && property !== undefined ? `${object}.${property}` : undefined;
}

function nameOf(value: unknown): string | undefined {
  return isNode(value) && value.type === 'Identifier' ? (value['name'] as string) : undefined;
}

function literalOf(value: unknown): string | undefined {
  return isNode(value) && typeof value['value'] === 'string' ? value['value'] : undefined;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
}

function walk(node: Node, visit: (node: Node, parent: Node | undefined) => void, parent?: Node) {
  visit(node, parent);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) walk(child, visit, node);
    }
  }
}
