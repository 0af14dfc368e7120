import { EpmuxError } from '../protocol/errors.ts';

/** Whether `Carrier.dial` failed for nobody listens on the port, rather than for the way to it. */
export function isPortRefused(error: unknown): boolean {
  return EpmuxError.is(error, 'CONNECT_FAILED') && error.details?.['refused'] === 'port';
}
