// Loaded before the program with --expose-gc: at SIGUSR2 says on stderr what is reachable, in bytes.
let asked = 0;
process.on('SIGUSR2', () => {
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  asked += 1;
  process.stderr.write(`reachable ${asked}: ${heapUsed + external}\n`);
});
