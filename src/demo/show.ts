export type Paint = (
  style: 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan',
  text: string,
) => string;

export interface ShowIo {
  /** Writes a line. */
  out(text: string): void;
  readonly paintOut: Paint;
}

/** One step of the demo, for `--json` too. */
export interface StepResult {
  readonly step: string;
  readonly detail: string;
  readonly ms: number | null;
}

const STEP_WIDTH = 12;
const DETAIL_WIDTH = 58;
const FIGURE_WIDTH = 10;

/** Tells the steps, a line each, and keeps them. */
export class Show {
  readonly steps: StepResult[] = [];
  readonly #io: ShowIo;
  readonly #silent: boolean;

  constructor(io: ShowIo, silent: boolean) {
    this.#io = io;
    this.#silent = silent;
  }

  /** Does the work, and tells it with the time it took unless `figureMs` gives another figure. */
  async step<T>(
    step: string,
    work: () => Promise<T>,
    tell: (result: T) => { readonly detail: string; readonly figureMs?: number | null },
  ): Promise<T> {
    const start = performance.now();
    const result = await work();
    const took = performance.now() - start;
    const { detail, figureMs = took } = tell(result);
    this.tell(step, detail, figureMs);
    return result;
  }

  tell(step: string, detail: string, ms: number | null = null): void {
    this.steps.push({ step, detail, ms: ms === null ? null : Math.round(ms * 10) / 10 });
    const figure = ms === null ? '' : formatMs(ms).padStart(FIGURE_WIDTH);
    const { paintOut } = this.#io;
    const text = `${step.padEnd(STEP_WIDTH)} ${detail.padEnd(DETAIL_WIDTH)}`;
    this.line(`  ${paintOut('green', '✓')} ${`${text} ${paintOut('dim', figure)}`.trimEnd()}`);
  }

  line(text = ''): void {
    if (!this.#silent) this.#io.out(text);
  }

  dim(text: string): string {
    return this.#io.paintOut('dim', text);
  }

  bold(text: string): string {
    return this.#io.paintOut('bold', text);
  }
}

function formatMs(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms).toLocaleString('en-US')} ms`;
}
