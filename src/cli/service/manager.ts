import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EpmuxError } from '../../protocol/errors.ts';
import type { Environment } from '../../runtime/environment.ts';
import { findProgram } from '../erlang/programs.ts';

export interface ServiceState {
  readonly manager: 'systemd' | 'launchd' | null;
  /** Its file is there. */
  readonly installed: boolean;
  /** It starts at the next login. */
  readonly enabled: boolean;
  readonly running: boolean;
  /** Null where there is no manager. */
  readonly file: string | null;
}

export interface ServiceManager {
  readonly name: 'systemd' | 'launchd';
  readonly file: string;
  /** Throws SERVICE_UNAVAILABLE when it can't be had here. */
  check(): Promise<void>;
  /** The file is as it would be written now, and the service enabled and running. */
  isInstalled(): Promise<boolean>;
  /** Nothing of epmux's daemon may run. Throws SERVICE_FAILED. What has to be known, as lines. */
  install(): Promise<readonly string[]>;
  /** Ends it; its file is there until `uninstall`. Nothing when it does not run. */
  stop(): Promise<void>;
  /**
   * Leaves nothing, whatever was there. Throws SERVICE_FAILED. What could not be done, as lines.
   */
  uninstall(): Promise<readonly string[]>;
  state(): Promise<ServiceState>;
}

export interface Answer {
  /** 127: the program is not there. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const RUN_MS = 120_000;
const MAX_OUTPUT_BYTES = 1_048_576;

/** Runs a service manager's own tool; never rejects. */
export function runTool(
  program: string,
  args: readonly string[],
  env: Environment,
): Promise<Answer> {
  const path = findProgram(program, env);
  if (path === undefined) {
    return Promise.resolve({ code: 127, stdout: '', stderr: `${program} is not on the PATH` });
  }
  const options = { env: { ...env }, timeout: RUN_MS, maxBuffer: MAX_OUTPUT_BYTES } as const;
  return new Promise((resolve) => {
    const child = execFile(path, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, stdout, stderr: stderr || (error?.message ?? '') });
    });
    child.stdin?.on('error', () => undefined).end();
  });
}

/** As `runTool`, and SERVICE_FAILED unless it ends with 0. */
export async function mustRun(
  program: string,
  args: readonly string[],
  env: Environment,
): Promise<void> {
  const answer = await runTool(program, args, env);
  if (answer.code !== 0) throw refused(program, args, answer);
}

/** SERVICE_FAILED, with the tool's last words. */
export function refused(
  program: string,
  args: readonly string[],
  { code, stdout, stderr }: Answer,
): EpmuxError {
  const said = (stderr || stdout).trim().split('\n').at(-1) ?? '';
  return new EpmuxError(
    'SERVICE_FAILED',
    `${program} ${args.join(' ')} ended with ${code}: ${said}`,
  );
}

/**
 * SERVICE_UNAVAILABLE, with what the tool said of it, unless it ended with 0. `lack` says what is
 * not there.
 */
export function mustBeThere({ code, stderr }: Answer, lack: string): void {
  if (code === 0) return;
  const said = stderr.trim().split('\n')[0] ?? '';
  throw new EpmuxError('SERVICE_UNAVAILABLE', `${lack}: ${said}`);
}

/** Enabled, running, and its file holds this very text. */
export async function isInForce(manager: ServiceManager, text: string): Promise<boolean> {
  const { enabled, running } = await manager.state();
  return enabled && running && (await isWritten(manager.file, text));
}

export async function writeServiceFile(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text, { mode: 0o644 });
}

export async function isWritten(file: string, text?: string): Promise<boolean> {
  try {
    const found = await readFile(file, 'utf8');
    return text === undefined || found === text;
  } catch {
    return false;
  }
}

export async function removeFiles(...files: readonly string[]): Promise<void> {
  for (const file of files) await rm(file, { force: true });
}
