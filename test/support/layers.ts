/**
 * Which part may use what (docs/architecture.md), and a look at one source text for what breaks it.
 * Works on the syntax tree, so that types-only imports count and words in comments or strings do
 * not.
 */
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { parseSync } from 'oxc-parser';

/** Its path relative to src, with slashes. */
export interface SourceFile {
  readonly file: string;
  readonly source: string;
}

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
  'daemon/main.ts',
  'daemon/paths.ts',
  'daemon/spawn.ts',
  'daemon/start-detached.ts',
  'daemon/supervisor/main.ts',
  'daemon/written-down.ts',
];
const PURE_BUILTINS = ['node:crypto'];
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
export const MAX_LINES = 280;
/** As code has it, which the formatter sees to. */
export const MAX_COLUMNS = 100;
/** A comment's prose; a drawing or an example in one is indented. */
const PROSE = /^\s*(?:\/\/|\/?\*+) ?\S/;

interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** Every breach in one file, each as a sentence. */
export function breaches({ file, source }: SourceFile): string[] {
  const part = PARTS.find((name) => file.startsWith(`${name}/`));
  if (part === undefined) return [`${file} stands in no part`];
  const parsed = parseSync(file, source, { lang: 'ts', sourceType: 'module' });
  if (parsed.errors.length > 0) return [`${file} can't be parsed: ${parsed.errors[0]?.message}`];

  const found: string[] = [];
  const say = (what: string) => found.push(`${file} ${what}`);
  const lines = source.split('\n');
  const count = lines.length - 1;
  if (count > MAX_LINES) say(`has ${count} lines, more than ${MAX_LINES}`);
  const wide = lines.findIndex((line) => line.length > MAX_COLUMNS && PROSE.test(line));
  if (wide >= 0) say(`has a comment wider than ${MAX_COLUMNS} columns in line ${wide + 1}`);
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

/** Files that import each other, types counted: each cycle once, from a file of it to the same. */
export function cycles(sources: readonly SourceFile[]): string[] {
  const imports = new Map(sources.map((source) => [source.file, filesImportedBy(source)]));
  const found = new Set<string>();
  const done = new Set<string>();
  const follow = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) found.add([...path.slice(at), file].join(' → '));
    if (at >= 0 || done.has(file)) return;
    for (const next of imports.get(file) ?? []) follow(next, [...path, file]);
    done.add(file);
  };
  for (const file of imports.keys()) follow(file, []);
  return [...found];
}

/** What is allowed above and no file makes use of, each as a sentence. */
export function unusedExceptions(sources: readonly SourceFile[]): string[] {
  const used = sources.flatMap((source) =>
    importsOf(source).map((specifier) => ({ file: source.file, specifier })),
  );
  const isUsed = (from: string, fits: (file: string, specifier: string) => boolean): boolean =>
    used.some(({ file, specifier }) => file.startsWith(`${from}/`) && fits(file, specifier));
  const packages = PARTS.flatMap((part) =>
    PACKAGES[part]
      .filter((name) => !isUsed(part, (_, specifier) => packageOf(specifier) === name))
      .map((name) => `${part} may import ${name}, and does not`),
  );
  const daemon = DAEMON_FOR_CLI.filter(
    (target) => !isUsed('cli', (file, specifier) => targetOf(file, specifier) === target),
  ).map((target) => `commands may import ${target}, and do not`);
  const builtins = PURE_BUILTINS.filter(
    (name) => !PURE.some((part) => isUsed(part, (_, specifier) => specifier === name)),
  ).map((name) => `pure parts may import ${name}, and do not`);
  const exits = MAY_EXIT.filter((file) => {
    const source = sources.find((one) => one.file === file);
    return source === undefined || !exitsIn(source);
  }).map((file) => `${file} may exit, and does not`);
  return [...packages, ...daemon, ...builtins, ...exits];
}

function filesImportedBy(source: SourceFile): string[] {
  return importsOf(source)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => targetOf(source.file, specifier));
}

function importsOf({ file, source }: SourceFile): string[] {
  const found: string[] = [];
  walk(treeOf(file, source), (node) => found.push(...importedBy(node)));
  return found;
}

function exitsIn({ file, source }: SourceFile): boolean {
  let exits = false;
  walk(treeOf(file, source), (node) => {
    exits ||= memberName(node) === 'process.exit';
  });
  return exits;
}

function treeOf(file: string, source: string): Node {
  const { program } = parseSync(file, source, { lang: 'ts', sourceType: 'module' });
  return program as unknown as Node;
}

function importBreach(file: string, part: Part, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return relativeBreach(file, part, specifier);
  if (isBuiltin(specifier)) {
    return PURE.includes(part) && !PURE_BUILTINS.includes(specifier)
      ? `${part} is pure`
      : undefined;
  }
  return PACKAGES[part].includes(packageOf(specifier))
    ? undefined
    : `no package that ${part} may use`;
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function targetOf(file: string, specifier: string): string {
  return path.posix.join(path.posix.dirname(file), specifier);
}

function relativeBreach(file: string, part: Part, specifier: string): string | undefined {
  const target = targetOf(file, specifier);
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
