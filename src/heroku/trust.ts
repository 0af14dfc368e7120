import type https from 'node:https';
import tls, { type SecureContext } from 'node:tls';
import { Connections, KEPT } from './connections.ts';

/** Whom calls trust that are told more certificates than this process knows by itself. */
export interface Trust {
  readonly secureContext: SecureContext;
  /** Keeps their connections, which no other calls may take. */
  readonly agent: https.Agent;
}

/** Who is trusted anyway, and those of `extraCa`, certificates in PEM. */
export function trustIn(extraCa: string): Trust {
  const secureContext = tls.createSecureContext({ ca: [...usualAuthorities(), extraCa] });
  return { secureContext, agent: new Connections(KEPT) };
}

/** With those of the system where Node is told to trust them; it says so from 22.15 on. */
function usualAuthorities(): readonly string[] {
  const { getCACertificates } = tls as { getCACertificates?: (kind: string) => string[] };
  return getCACertificates?.('default') ?? tls.rootCertificates;
}
