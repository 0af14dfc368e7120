import { SESSION_LIMITS } from '../../src/runtime/session-limits.ts';

/** For hello and proof together, where nobody has set it. */
export const HELLO_MS = SESSION_LIMITS.helloMs.default;
