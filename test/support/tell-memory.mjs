// Loaded before the program with --expose-gc: at SIGUSR2 says on stderr what is reachable in its heap, in bytes. Memory of buffers is not counted, for pools of
// it come and go; but each buffer has an object in the heap.
let asked = 0;
process.on('SIGUSR2', () => {
  globalThis.gc();
  const { heapUsed } = process.memoryUsage();
  asked += 1;
  process.stderr.write(`reachable ${asked}: ${heapUsed}\n`);
});
