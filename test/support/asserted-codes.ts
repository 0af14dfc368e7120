/**
 * Which error codes a test file waits for, and which it makes itself: an error that a test made is
 * no proof that epmux ever does.
 */
import { parseSync } from 'oxc-parser';

interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

export interface CodesOfTest {
  /** Compared, matched, or an argument of an assertion. */
  readonly asserted: ReadonlySet<string>;
  /** Given to a `new EpmuxError`, or the `code` of an object that nothing asserts. */
  readonly made: ReadonlySet<string>;
}

type Place = 'asserted' | 'compared' | 'made' | 'code' | 'elsewhere';

export function codesOfTest(file: string, source: string, codes: readonly string[]): CodesOfTest {
  const found = { asserted: new Set<string>(), made: new Set<string>() };
  const { program, errors } = parseSync(file, source, { lang: 'ts', sourceType: 'module' });
  if (errors.length > 0) throw new Error(`${file} can't be parsed`);
  walk(program as unknown as Node, 'elsewhere', (node, place) => {
    const { value } = node;
    if (isRegExp(node)) for (const code of matchedBy(node, codes)) found.asserted.add(code);
    else if (typeof value === 'string' && codes.includes(value)) {
      if (place === 'asserted' || place === 'compared') found.asserted.add(value);
      else if (place !== 'elsewhere') found.made.add(value);
    }
  });
  return found;
}

function isRegExp(node: Node): boolean {
  return node['regex'] !== undefined && node['regex'] !== null;
}

function matchedBy(node: Node, codes: readonly string[]): string[] {
  const { pattern } = node['regex'] as { readonly pattern: string };
  return codes.filter((code) => new RegExp(`(?<![A-Z_])${code}(?![A-Z_])`).test(pattern));
}

function walk(node: Node, place: Place, onLiteral: (node: Node, place: Place) => void): void {
  if (node.type === 'Literal') onLiteral(node, place);
  for (const [key, value] of Object.entries(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) walk(child, placeOf(node, key, place), onLiteral);
    }
  }
}

/**
 * Where what stands in this field of the node is; an assertion encloses whatever is in it, but for
 * errors that are made there.
 */
function placeOf(node: Node, field: string, around: Place): Place {
  if (node.type === 'NewExpression' && nameOf(node['callee']) === 'EpmuxError') return 'made';
  if (node.type === 'CallExpression' && field === 'arguments' && isAssertion(node))
    return 'asserted';
  if (node.type === 'BinaryExpression' || isQuestion(node)) return 'compared';
  if (around === 'asserted' || around === 'made') return around;
  const isCode = node.type === 'Property' && field === 'value' && nameOf(node['key']) === 'code';
  return isCode ? 'code' : 'elsewhere';
}

/** `assert(…)`, `assert.rejects(…)`; not `fc.assert`, whose property asserts for itself. */
function isAssertion(call: Node): boolean {
  const { callee } = call;
  if (!isNode(callee)) return false;
  return nameOf(callee.type === 'MemberExpression' ? callee['object'] : callee) === 'assert';
}

/** `EpmuxError.is(…)`. */
function isQuestion({ type, callee }: Node): boolean {
  if (type !== 'CallExpression' || !isNode(callee)) return false;
  return nameOf(callee['object']) === 'EpmuxError' && nameOf(callee['property']) === 'is';
}

function nameOf(value: unknown): string | undefined {
  const name = isNode(value) ? value['name'] : undefined;
  return typeof name === 'string' ? name : undefined;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
}
