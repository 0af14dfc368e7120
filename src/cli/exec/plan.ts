import { randomBytes } from 'node:crypto';
import { EpmuxError } from '../../protocol/errors.ts';
import type { ExecRequest, Terminal } from '../../transport/transport.ts';
import type { Io } from '../io.ts';
import { type EnvironmentPlan, environmentPlan } from './environment.ts';
import { shellLine } from './words.ts';

/** What the command line says about the command, by its options' names. */
export interface ExecInput {
  readonly pipe?: string | undefined;
  readonly env?: boolean | undefined;
  readonly tty?: boolean | undefined;
  readonly 'no-tty'?: boolean | undefined;
  readonly status?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly dyno?: readonly string[] | undefined;
}

export interface ExecPlan {
  readonly request: ExecRequest;
  readonly environment: EnvironmentPlan | undefined;
}

/** Throws USAGE with the first two that do not go together. */
export function assertInput(input: ExecInput, rest: readonly string[]): void {
  const exclude = (a: string, b: string, why: string): never => {
    throw new EpmuxError('USAGE', `${a} and ${b} exclude each other: ${why}`);
  };
  if (input.pipe !== undefined && rest.length > 0) {
    exclude('--pipe', 'a command behind --', 'there is one command');
  }
  if (input.pipe !== undefined && input.tty === true) {
    exclude('--pipe', '--tty', 'a terminal changes bytes');
  }
  if (input.tty === true && input['no-tty'] === true) {
    exclude('--tty', '--no-tty', 'choose one');
  }
  if (input.status === true && (rest.length > 0 || input.pipe !== undefined)) {
    exclude('--status', 'a command', 'it runs none');
  }
  if ((input.dyno ?? []).length > 1 && input.status !== true) {
    throw new EpmuxError('USAGE', 'exec runs in one dyno, and several are named', {
      hint: 'run it once for each',
    });
  }
  if (input.json === true && input.status !== true) {
    throw new EpmuxError(
      'USAGE',
      '--json goes with --status only: what a command prints is its own',
    );
  }
}

/** `variables`: those of `--env`, if it is given. */
export function planRequest(
  input: ExecInput,
  rest: readonly string[],
  variables: Readonly<Record<string, string>> | undefined,
  io: Io,
): ExecPlan {
  const command = shellLine(input.pipe === undefined ? rest : [input.pipe]);
  const terminal = terminalFor(input, io);
  if (variables === undefined) return { request: { command, terminal }, environment: undefined };
  const nonce = randomBytes(8).toString('hex');
  const environment = environmentPlan(variables, command, terminal !== undefined, nonce);
  return { request: { command: environment.line, terminal }, environment };
}

function terminalFor(input: ExecInput, io: Io): Terminal | undefined {
  if (input.pipe !== undefined || input['no-tty'] === true) return undefined;
  if (!io.onTerminal && input.tty !== true) return undefined;
  const { columns = 80, rows = 24 } = process.stdout;
  return { term: io.env['TERM'] || 'xterm', columns, rows };
}
