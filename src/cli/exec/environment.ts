import { shellQuoted } from '../../runtime/programs.ts';

/**
 * What a shell takes as a variable's name, and not what it keeps to itself: to set such a one would
 * end it.
 */
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const RESERVED: ReadonlySet<string> = new Set([
  ...['BASHOPTS', 'BASH_VERSINFO', 'EUID', 'OPTIND', 'PPID', 'SHELLOPTS', 'UID'],
]);

/** How variables get into a command's environment without standing in any argument list. */
export interface EnvironmentPlan {
  /** For the login shell there, in place of the command. */
  readonly line: string;
  /** A secret: goes before all else on stdin. */
  readonly payload: Uint8Array;
  /**
   * With a terminal: what it prints once it takes the payload without echo; undefined: it takes it
   * at once.
   */
  readonly marker: Uint8Array | undefined;
  /** Names that no shell takes. */
  readonly leftOut: readonly string[];
}

/**
 * A small sh reads one line of exports from stdin, byte by byte as POSIX has it, and becomes the
 * command, which finds the rest of stdin untouched. A terminal would echo that line, and cut it at
 * 4096 bytes: it is put into raw mode first, which the marker tells. `nonce` keeps the marker apart
 * from what else is printed.
 */
export function environmentPlan(
  variables: Readonly<Record<string, string>>,
  command: string | undefined,
  terminal: boolean,
  nonce: string,
): EnvironmentPlan {
  const names = Object.keys(variables);
  const taken = names.filter((name) => NAME.test(name) && !RESERVED.has(name));
  const exports = taken.map((name) => `${name}=${oneLine(variables[name] ?? '')}`);
  const marker = terminal ? `<epmux ${nonce}>` : undefined;
  const become = command === undefined ? 'exec "$SHELL" -l' : 'exec "$SHELL" -c "$1"';
  const script = [
    "epmux_n=$(printf '\\nx')",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own
    'epmux_n=${epmux_n%x}',
    ...(marker === undefined
      ? []
      : ['epmux_t=$(stty -g)', 'stty raw -echo', `printf %s ${shellQuoted(marker)}`]),
    'IFS= read -r epmux_e || exit 1',
    ...(marker === undefined ? [] : ['stty "$epmux_t"']),
    'eval "$epmux_e"',
    'unset epmux_e epmux_n epmux_t',
    become,
  ].join('; ');
  const words = ['sh', '-c', script, 'sh', ...(command === undefined ? [] : [command])];
  return {
    line: `exec ${words.map(shellQuoted).join(' ')}`,
    payload: Buffer.from(`${exports.length === 0 ? ':' : `export ${exports.join(' ')}`}\n`),
    marker: marker === undefined ? undefined : Buffer.from(marker),
    leftOut: names.filter((name) => !taken.includes(name)),
  };
}

function oneLine(value: string): string {
  return value.split('\n').map(shellQuoted).join('"$epmux_n"');
}

/** Finds a marker in what arrives in pieces, and takes it out. */
export class MarkerWatch {
  readonly #marker: Buffer;
  #held: Buffer = Buffer.alloc(0);
  #found = false;

  constructor(marker: Uint8Array) {
    this.#marker = Buffer.from(marker);
  }

  get found(): boolean {
    return this.#found;
  }

  /** What of the bytes so far is no part of the marker. */
  pass(chunk: Uint8Array): Uint8Array {
    if (this.#found) return chunk;
    const bytes = Buffer.concat([this.#held, chunk]);
    const at = bytes.indexOf(this.#marker);
    if (at >= 0) {
      this.#found = true;
      this.#held = Buffer.alloc(0);
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + this.#marker.length)]);
    }
    const keep = this.#possibleBeginning(bytes);
    this.#held = bytes.subarray(bytes.length - keep);
    return bytes.subarray(0, bytes.length - keep);
  }

  /** What was held back for a marker that never came. */
  rest(): Uint8Array {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    return held;
  }

  #possibleBeginning(bytes: Buffer): number {
    for (let length = Math.min(this.#marker.length - 1, bytes.length); length > 0; length -= 1) {
      if (bytes.subarray(-length).equals(this.#marker.subarray(0, length))) return length;
    }
    return 0;
  }
}
