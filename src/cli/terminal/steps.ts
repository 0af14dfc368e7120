import yoctoSpinner from 'yocto-spinner';
import type { Io } from '../io.ts';
import { printable } from './printable.ts';

/**
 * What `up` does, step by step: a spinner on a terminal, a plain line for each step elsewhere.
 * Talk, so on stderr.
 */
export interface Steps {
  /**
   * The step that begins now. The one before it is thereby done, unless it is another dyno's; the
   * same one again is another try of it.
   */
  begin(step: string): void;
  /** A step that is over already. */
  done(step: string): void;
  /**
   * Marks what runs as failed and leaves the terminal clean. Where the process ends before, that is
   * done then.
   */
  fail(): void;
  /** Ends the display: what runs is done, but for the steps of dynos that are not up. */
  finish(notUp?: readonly (string | null)[]): void;
}

type StepsIo = Pick<Io, 'lively' | 'talk' | 'paintTalk'>;

export function createSteps(io: StepsIo): Steps {
  const steps = io.lively ? spinningSteps(io) : plainSteps(io);
  return {
    ...steps,
    begin: (step) => steps.begin(printable(step)),
    done: (step) => steps.done(printable(step)),
  };
}

/** The dyno whose step it is; none: of the tunnel as a whole. */
function dynoOf(step: string): string {
  return /^([\w-]+\.\d+): /.exec(step)?.[1] ?? '';
}

/** The steps that run, one for each dyno. */
class Running {
  readonly #steps = new Map<string, string>();

  /** Gives what is over thereby; undefined: it is another try of what runs. */
  begin(step: string): readonly string[] | undefined {
    const dyno = dynoOf(step);
    if (this.#steps.get(dyno) === step) return undefined;
    // What is the whole tunnel's comes before what is a dyno's.
    const over = [...this.take(''), ...this.take(dyno)];
    this.#steps.set(dyno, step);
    return over;
  }

  take(dyno: string): readonly string[] {
    const step = this.#steps.get(dyno);
    this.#steps.delete(dyno);
    return step === undefined ? [] : [step];
  }

  takeAll(): readonly string[] {
    const steps = [...this.#steps.values()];
    this.#steps.clear();
    return steps;
  }

  get last(): string | undefined {
    return [...this.#steps.values()].at(-1);
  }
}

function plainSteps(io: StepsIo): Steps {
  const running = new Running();
  const say = (step: string): void => io.talk(`- ${step}`);
  return {
    begin: (step) => void (running.begin(step) && say(step)),
    done: say,
    fail() {},
    finish() {},
  };
}

function spinningSteps(io: StepsIo): Steps {
  // The signals are main's: a spinner that exits the process would leave a half-made answer behind.
  const spinner = yoctoSpinner({ stream: process.stderr, handleSignals: false });
  const ok = io.paintTalk('green', '✔');
  const failed = io.paintTalk('red', '✖');
  const running = new Running();
  const show = (lines: readonly string[]): void => {
    if (spinner.isSpinning) spinner.stop();
    for (const line of lines) io.talk(line);
    process.off('exit', fail);
    const { last } = running;
    if (last === undefined) return;
    // An interrupt ends the process while whoever began the step still waits.
    process.once('exit', fail);
    spinner.start(last);
  };
  const fail = (): void => show(running.takeAll().map((step) => `${failed} ${step}`));
  return {
    begin(step) {
      const over = running.begin(step);
      if (over !== undefined) show(over.map((each) => `${ok} ${each}`));
    },
    done(step) {
      const over = running.take(dynoOf(step)).filter((each) => each !== step);
      show([...over, step].map((each) => `${ok} ${each}`));
    },
    fail,
    finish(notUp = []) {
      const mark = (step: string): string => (notUp.includes(dynoOf(step)) ? failed : ok);
      show(running.takeAll().map((step) => `${mark(step)} ${step}`));
    },
  };
}
