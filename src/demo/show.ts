import { EpmuxError } from '../protocol/errors.ts';
import { jsonText } from '../protocol/text.ts';

type Paint = (style: 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan', text: string) => string;

export interface ShowIo {
  /** Writes a line. */
  out(text: string): void;
  readonly paintOut: Paint;
}

interface StepResult {
  readonly step: string;
  readonly detail: string;
  readonly ms: number | null;
}

const STEP_WIDTH = 12;
const DETAIL_WIDTH = 58;
const FIGURE_WIDTH = 10;

/** Tells the steps, a line each, or all of them in one JSON document at the end. */
export class Show {
  readonly #steps: StepResult[] = [];
  readonly #io: ShowIo;
  readonly #json: boolean;
  readonly #start = performance.now();

  constructor(io: ShowIo, json: boolean) {
    this.#io = io;
    this.#json = json;
  }

  begin(): void {
    this.line(
      `${this.#bold('epmux demo')}  a Heroku app of three dynos on this machine; no account, nothing to configure`,
    );
    this.line();
  }

  end(): void {
    const ms = roundMs(performance.now() - this.#start);
    if (this.#json) this.#io.out(jsonText({ ms, steps: this.#steps }));
    this.line();
    this.line(`${this.#bold('done')} in ${(ms / 1000).toFixed(1)} s`);
  }

  /**
   * Does the work, and tells it with the time it took unless `figureMs` gives another figure. What
   * fails has the step's name in its message.
   */
  async step<T>(
    step: string,
    work: () => Promise<T>,
    tell: (result: T) => { readonly detail: string; readonly figureMs?: number | null },
  ): Promise<T> {
    const start = performance.now();
    const result = await work().catch((error: unknown) => {
      throw this.#failed(step, error);
    });
    const took = performance.now() - start;
    const { detail, figureMs = took } = tell(result);
    this.tell(step, detail, figureMs);
    return result;
  }

  tell(step: string, detail: string, ms: number | null = null): void {
    this.#steps.push({ step, detail, ms: ms === null ? null : roundMs(ms) });
    const figure = ms === null ? '' : formatMs(ms).padStart(FIGURE_WIDTH);
    const { paintOut } = this.#io;
    const text = `${step.padEnd(STEP_WIDTH)} ${detail.padEnd(DETAIL_WIDTH)}`;
    this.line(`  ${paintOut('green', '✓')} ${`${text} ${paintOut('dim', figure)}`.trimEnd()}`);
  }

  line(text = ''): void {
    if (!this.#json) this.#io.out(text);
  }

  #failed(step: string, error: unknown): unknown {
    if (!(error instanceof EpmuxError) || error.code === 'INTERRUPTED') return error;
    this.line(`  ${this.#io.paintOut('red', '✗')} ${step}`);
    return error.with({ message: `step "${step}": ${error.message}` });
  }

  #bold(text: string): string {
    return this.#io.paintOut('bold', text);
  }
}

function roundMs(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function formatMs(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms).toLocaleString('en-US')} ms`;
}
