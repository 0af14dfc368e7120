const WAIT_MS = 15_000;

/** Until the condition holds. Who stops waiting for it is not kept by it. */
export async function until(done: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  while (!done()) {
    if (performance.now() > deadline) throw new Error(`not so after ${WAIT_MS} ms: ${done}`);
    await new Promise((resolve) => setTimeout(resolve, 5).unref());
  }
}
