/** Until the figure has not moved for a while. Too early on a slow machine, it only asks less. */
export async function standstill(figure: () => number): Promise<void> {
  for (let still = 0, last = -1; still < 6; ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    still = figure() === last ? still + 1 : 0;
    last = figure();
  }
}
