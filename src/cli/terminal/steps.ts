import yoctoSpinner from 'yocto-spinner';
import type { Io } from '../io.ts';
import { printable } from './printable.ts';

/** What `up` does, step by step: a spinner on a terminal, a plain line for each step elsewhere. Talk, so on stderr. */
export interface Steps {
  /** The step that begins now; the one before it is thereby done. */
  begin(step: string): void;
  /** A step that is over already. */
  done(step: string): void;
  /** Marks the running step as failed and leaves the terminal clean. */
  fail(): void;
  /** Ends the display, the last step done. */
  finish(): void;
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

function plainSteps(io: StepsIo): Steps {
  const say = (step: string): void => io.talk(`- ${step}`);
  return { begin: say, done: say, fail() {}, finish() {} };
}

function spinningSteps(io: StepsIo): Steps {
  // The signals are main's: a spinner that exits the process would leave a half-made answer behind.
  const spinner = yoctoSpinner({ stream: process.stderr, handleSignals: false });
  const end = (mark: string): void => {
    if (spinner.isSpinning) spinner.stop(`${mark} ${spinner.text}`);
  };
  const ok = io.paintTalk('green', '✔');
  return {
    begin(step) {
      end(ok);
      spinner.start(step);
    },
    done(step) {
      if (spinner.isSpinning && spinner.text !== step) end(ok);
      if (spinner.isSpinning) spinner.stop(`${ok} ${step}`);
      else io.talk(`${ok} ${step}`);
    },
    fail: () => end(io.paintTalk('red', '✖')),
    finish: () => end(ok),
  };
}
