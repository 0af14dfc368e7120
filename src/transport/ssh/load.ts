/**
 * SSH with its library, which takes longer to load than the rest of its process: whoever is about
 * to need it asks for it while it waits for something else.
 */
export async function loadSsh() {
  const [{ sshTransport }, { personalIdentities, registeredKey }] = await Promise.all([
    import('./transport.ts'),
    import('./identities.ts'),
  ]);
  return { sshTransport, personalIdentities, registeredKey };
}
