import yoctoSpinner from 'yocto-spinner';
import type { Io } from '../io.ts';
import { printable } from './printable.ts';

/** What `up` does, step by step: a spinner on a terminal, a plain line for each step elsewhere. Talk, so on stderr. */
export interface Steps {
  /** The step that begins now; the one before it is thereby done. */
  begin(step: string): void;
  /** A step that is over already. */
  done(step: string): void;
  /** Marks the running step as failed and leaves the terminal clean. Where the process ends before, that is done then. */
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
  const ok = io.paintTalk('green', '✔');
  const end = (mark: string): void => {
    process.off('exit', fail);
    if (spinner.isSpinning) spinner.stop(`${mark} ${spinner.text}`);
  };
  const fail = (): void => end(io.paintTalk('red', '✖'));
  return {
    begin(step) {
      end(ok);
      // An interrupt ends the process while whoever began the step still waits.
      process.once('exit', fail);
      spinner.start(step);
    },
    done(step) {
      if (spinner.isSpinning && spinner.text === step) return end(ok);
      end(ok);
      io.talk(`${ok} ${step}`);
    },
    fail,
    finish: () => end(ok),
  };
}
