/** One real node of `ErlangHost` (erlang.ts): evaluates, tells its events and its log. */
import { CONTROL_MARK } from './erlang-control.ts';
import { endProgram, hasExited, type Program, WAIT_MS, within } from './erlang-process.ts';

export type NodeEvent =
  | { readonly type: 'nodeup'; readonly node: string; readonly hidden: boolean }
  | {
      readonly type: 'nodedown';
      readonly node: string;
      readonly hidden: boolean;
      /** As `~0tp` prints it, such as `net_tick_timeout`, `connection_closed`. */
      readonly reason: string;
    };

interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

export class ErlangNode {
  /** The full name, once ready. */
  name = '';
  readonly #child: Program;
  readonly #exited: Promise<void>;
  #log = '';
  #rest = '';
  #nextId = 1;
  readonly #evals = new Map<string, Waiting<string>>();
  readonly #events: NodeEvent[] = [];
  readonly #watchers = new Set<() => void>();

  constructor(child: Program) {
    this.#child = child;
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => this.#read(chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      this.#log += chunk;
    });
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => this.#gone(error.message, resolve));
      child.once('close', (code, signal) => this.#gone(`exit ${code ?? signal}`, resolve));
    });
  }

  /** The process of the BEAM itself: for SIGSTOP, SIGCONT, SIGKILL. */
  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the node did not start');
    return this.#child.pid;
  }

  /** What the node has printed and logged so far. */
  get log(): string {
    return this.#log;
  }

  /** Resolves when the process has gone. */
  get exited(): Promise<void> {
    return this.#exited;
  }

  async ready(): Promise<void> {
    await this.#until(() => (this.name === '' ? undefined : true), 'a node to start', WAIT_MS);
  }

  /**
   * Evaluates Erlang expressions (`.` at the end may be left out) and gives the last value as text.
   */
  async eval(expressions: string, limitMs = WAIT_MS): Promise<string> {
    const id = String(this.#nextId++);
    const text = expressions.trimEnd().replace(/\.?$/, '.');
    if (hasExited(this.#child)) throw new Error(`the node has gone: ${this.#log}`);
    const answer = new Promise<string>((resolve, reject) => {
      this.#evals.set(id, { resolve, reject });
    });
    this.#child.stdin.write(`${id} ${Buffer.from(text).toString('base64')}\n`);
    return within(answer, () => `${this.name} to evaluate ${text}\n${this.#log}`, limitMs);
  }

  /** Evaluates Elixir (a node with `elixir: true`) and gives the value as `inspect` prints it. */
  async evalElixir(code: string, limitMs = WAIT_MS): Promise<string> {
    const base64 = Buffer.from(`inspect((${code}), limit: :infinity)`).toString('base64');
    const bytes = await this.eval(
      `{V, _} = 'Elixir.Code':eval_string(base64:decode("${base64}")), base64:encode_to_string(V)`,
      limitMs,
    );
    return Buffer.from(bytes.slice(1, -1), 'base64').toString('utf8');
  }

  /** The first event, past or to come, that fits; it and those before it are taken. */
  async event(fits: (event: NodeEvent) => boolean, limitMs = WAIT_MS): Promise<NodeEvent> {
    const take = () => {
      const at = this.#events.findIndex(fits);
      return at < 0 ? undefined : this.#events.splice(0, at + 1).at(-1);
    };
    return this.#until(take, 'an event', limitMs);
  }

  /** Events not taken yet. */
  get events(): readonly NodeEvent[] {
    return this.#events;
  }

  /** Resolves when the log holds this text. */
  async logged(text: string | RegExp, limitMs = WAIT_MS): Promise<void> {
    const seen = () => (this.#log.search(text) >= 0 ? true : undefined);
    await this.#until(seen, `the log to hold ${text}`, limitMs);
  }

  /** SIGSTOP freezes the node, SIGCONT wakes it, SIGKILL ends it without a word. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async stop(): Promise<void> {
    if (this.#child.pid === undefined) return;
    await endProgram(this.#child);
    await this.#exited;
  }

  async #until<T>(take: () => T | undefined, what: string, limitMs: number): Promise<T> {
    let stop: (() => void) | undefined;
    const found = new Promise<T>((resolve, reject) => {
      const look = () => {
        const value = take();
        if (value !== undefined) resolve(value);
        else if (hasExited(this.#child)) reject(new Error(`the node has gone: ${this.#log}`));
      };
      stop = () => this.#watchers.delete(look);
      this.#watchers.add(look);
      look();
    });
    const explain = () =>
      `${this.name} waits for ${what}; events ${JSON.stringify(this.#events)}\n${this.#log}`;
    return within(found, explain, limitMs).finally(() => stop?.());
  }

  #read(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
    this.#changed();
  }

  #line(line: string): void {
    const at = line.indexOf(`${CONTROL_MARK} `);
    if (at < 0) {
      this.#log += `${line}\n`;
      return;
    }
    const [, kind, ...words] = line.slice(at).split(' ');
    const value = decode(words.at(-1));
    const [first = '', second = ''] = words;
    if (kind === 'ready') this.name = unquote(value);
    else if (kind === 'ok') this.#take(first)?.resolve(value);
    else if (kind === 'error') this.#take(first)?.reject(new Error(`${this.name}: ${value}`));
    else this.#event(kind, first === 'hidden', decode(second), unquote(value));
  }

  #event(kind: string | undefined, hidden: boolean, reason: string, node: string): void {
    if (kind === 'nodeup') this.#events.push({ type: 'nodeup', node, hidden });
    if (kind === 'nodedown') this.#events.push({ type: 'nodedown', node, hidden, reason });
  }

  #take(id: string): Waiting<string> | undefined {
    const waiting = this.#evals.get(id);
    this.#evals.delete(id);
    return waiting;
  }

  #changed(): void {
    for (const look of [...this.#watchers]) look();
  }

  #gone(how: string, resolve: () => void): void {
    this.#log += `[${how}]\n`;
    for (const { reject } of this.#evals.values()) {
      reject(new Error(`the node has gone: ${this.#log}`));
    }
    this.#evals.clear();
    this.#changed();
    resolve();
  }
}

function decode(base64: string | undefined): string {
  return Buffer.from(base64 ?? '', 'base64').toString('utf8');
}

/** An atom as ~0tp prints it, without its quotes. */
function unquote(atom: string): string {
  return atom.replace(/^'(.*)'$/, '$1');
}
