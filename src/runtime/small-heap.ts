import { setFlagsFromString } from 'node:v8';

/**
 * V8 as a process wants it that is at rest most of the time. The young generation stays as small as
 * it begins: it would grow to tens of MiB with the first bulk and never shrink, and bytes live
 * outside of it anyway. The old one is collected when it has grown by a third, rather than doubled:
 * what the opening of thousands of streams leaves behind would stay for as long as they do nothing.
 * A V8 that does not know a flag says so on stderr, and goes on without (those of Node 20, 22 and
 * 24 know both).
 */
const SMALL_HEAP = ['--semi-space-growth-factor=1', '--heap-growing-percent=30'];

/** From now on. */
export function keepHeapSmall(): void {
  for (const flag of SMALL_HEAP) setFlagsFromString(flag);
}
