/** One `machine` of a netrc file. */
export interface NetrcEntry {
  readonly login: string | undefined;
  readonly password: string | undefined;
}

interface Token {
  readonly text: string;
  readonly quoted: boolean;
}

const VALUES = ['login', 'password', 'account'] as const;
type Value = (typeof VALUES)[number];

const SPACE = /\s/;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/**
 * The first entry for the machine, as netrc(5), curl and the Heroku CLI read it: words anywhere on
 * lines, `"quoted words"` with backslashes, `#` up to the line's end where a keyword could stand,
 * and `macdef` up to an empty line. `default` is no entry for any machine here: a key for whomever
 * is no key for Heroku.
 */
export function netrcEntry(text: string, machine: string): NetrcEntry | undefined {
  const words = new Words(text);
  let found: Partial<Record<Value, string>> | undefined;
  let isWanted = false;
  for (let word = words.keyword(); word !== undefined; word = words.keyword()) {
    if (word === 'macdef') words.skipMacro();
    else if (word === 'machine' || word === 'default') {
      if (isWanted) break;
      isWanted = word === 'machine' && words.next()?.text.toLowerCase() === machine.toLowerCase();
      if (isWanted) found = {};
    } else if (isValue(word)) {
      const value = words.next()?.text;
      if (isWanted && found !== undefined && value !== undefined) found[word] ??= value;
    }
  }
  return found && { login: found.login, password: found.password };
}

function isValue(word: string): word is Value {
  return (VALUES as readonly string[]).includes(word);
}

class Words {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text.startsWith('\uFEFF') ? text.slice(1) : text;
  }

  /** The next word that is no comment; a quoted one is never a keyword. */
  keyword(): string | undefined {
    for (let word = this.next(); word !== undefined; word = this.next()) {
      if (word.quoted) return '';
      if (!word.text.startsWith('#')) return word.text;
      this.#at = this.#end('\n', this.#at - word.text.length);
    }
    return undefined;
  }

  next(): Token | undefined {
    while (SPACE.test(this.#text.charAt(this.#at))) this.#at += 1;
    if (this.#at >= this.#text.length) return undefined;
    if (this.#text[this.#at] === '"') return { text: this.#quoted(), quoted: true };
    const from = this.#at;
    while (this.#at < this.#text.length && !SPACE.test(this.#text.charAt(this.#at))) this.#at += 1;
    return { text: this.#text.slice(from, this.#at), quoted: false };
  }

  /** The name, and all lines up to an empty one. */
  skipMacro(): void {
    const rest = /\n[ \t\r]*\n/g;
    rest.lastIndex = this.#at;
    this.#at = rest.exec(this.#text) === null ? this.#text.length : rest.lastIndex;
  }

  #quoted(): string {
    let text = '';
    for (this.#at += 1; this.#at < this.#text.length; this.#at += 1) {
      let char = this.#text.charAt(this.#at);
      if (char === '"') break;
      if (char === '\\') {
        this.#at += 1;
        char = this.#text.charAt(this.#at);
        char = ESCAPES[char] ?? char;
      }
      text += char;
    }
    this.#at += 1;
    return text;
  }

  #end(mark: string, from: number): number {
    const end = this.#text.indexOf(mark, from);
    return end < 0 ? this.#text.length : end;
  }
}
