import { abortError } from '../runtime/attempt.ts';
import type { Logger } from '../runtime/logger.ts';
import { CarrierLife } from './carrier-life.ts';
import { CommandPipe } from './command-pipe.ts';
import { ProcessGroup, type ProcessOptions } from './process-group.ts';
import { programName } from './program-name.ts';
import type { Carrier, Transport } from './transport.ts';

export interface CommandOptions extends ProcessOptions {
  readonly command: string;
  readonly logger: Logger;
}

/**
 * A shell command whose stdin and stdout reach an agent. The carrier runs nothing: each pipe is a
 * process of its own.
 */
export function commandTransport(options: CommandOptions): Transport {
  const target = `command: ${programName(options.command)}`;
  return { target, connect: async () => commandCarrier(options, target) };
}

function commandCarrier(options: CommandOptions, label: string): Carrier {
  const life = new CarrierLife(label);
  const pipes = new Set<CommandPipe>();
  return {
    label,
    dial: undefined,
    exec: undefined,
    async openAgentPipe(signal) {
      if (signal.aborted) throw abortError(`starting ${label}`, signal);
      if (life.closed) throw life.closedError();
      const group = await ProcessGroup.start(options.command, options);
      if (signal.aborted || life.closed) {
        void group.end();
        throw life.closed ? life.closedError() : abortError(`starting ${label}`, signal);
      }
      const pipe = new CommandPipe(group, { ...options, label, onOver: () => pipes.delete(pipe) });
      pipes.add(pipe);
      return pipe;
    },
    onClosed: (listener) => life.onClosed(listener),
    close() {
      if (!life.end(undefined)) return;
      for (const pipe of pipes) pipe.fail(life.closedError());
    },
  };
}
