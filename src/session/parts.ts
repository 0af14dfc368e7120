import type { RoleName } from '../protocol/constants.ts';
import { Acknowledger } from './acknowledger.ts';
import type { SessionConfig } from './config.ts';
import { ControlQueue } from './control-queue.ts';
import { EventQueue } from './event-queue.ts';
import { FrameMemory } from './frame-memory.ts';
import { Heartbeat } from './heartbeat.ts';
import { Outbound } from './outbound.ts';
import { PathEstimator } from './path-estimator.ts';
import { PipeFrames } from './pipe-frames.ts';
import { RemoteStreams } from './remote-streams.ts';
import { ReplayQueue } from './replay.ts';
import { Scheduler } from './scheduler.ts';
import { Streams } from './streams.ts';

/** What a session is made of, joined to each other. */
export type SessionParts = ReturnType<typeof makeParts>;

export function makeParts(role: RoleName, config: SessionConfig, firstId: number | undefined) {
  const events = new EventQueue();
  const control = new ControlQueue();
  const acks = new Acknowledger();
  const memory = new FrameMemory();
  const replay = new ReplayQueue(config.replayBudgetBytes, memory);
  const heartbeat = new Heartbeat(config);
  const path = new PathEstimator(config);
  const scheduler = new Scheduler(path);
  const base = { config, events, control, scheduler };
  const streams = new Streams({ ...base, memory, role, firstId });
  const remote = new RemoteStreams({ ...base, streams });
  const outbound = new Outbound({ memory, replay, control, scheduler, streams, path });
  const pipeFrames = new PipeFrames(acks, heartbeat, memory);
  return {
    events,
    control,
    scheduler,
    acks,
    replay,
    heartbeat,
    path,
    streams,
    remote,
    outbound,
    pipeFrames,
  };
}
