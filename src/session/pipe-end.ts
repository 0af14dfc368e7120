/**
 * Orderly ends of a pipe, thrown by a frame's handler so that nothing behind the frame is looked
 * at.
 */
import type { FrameOf } from '../protocol/frames.ts';

export class PipeEnd extends Error {
  readonly frame: FrameOf<'REFUSE'> | FrameOf<'GOODBYE'>;

  constructor(frame: FrameOf<'REFUSE'> | FrameOf<'GOODBYE'>) {
    super(frame.type);
    this.frame = frame;
  }
}
