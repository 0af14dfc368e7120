import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export interface TestSshAgent {
  /** For SSH_AUTH_SOCK. */
  readonly socket: string;
  /** Private key files without a passphrase. */
  add(...files: readonly string[]): void;
  stop(): Promise<void>;
}

/** A real ssh-agent with its socket in `folder`. */
export async function startSshAgent(folder: string): Promise<TestSshAgent> {
  const socket = join(folder, 'agent.sock');
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  // It says where it listens once it does.
  await once(agent.stdout, 'data');
  agent.stdout.resume();
  return {
    socket,
    add: (...files) => {
      const env = { ...process.env, SSH_AUTH_SOCK: socket };
      execFileSync('ssh-add', ['-q', ...files], { env, stdio: 'ignore' });
    },
    stop: async () => {
      if (agent.exitCode !== null || agent.signalCode !== null) return;
      const exited = once(agent, 'exit');
      agent.kill();
      await exited;
    },
  };
}
