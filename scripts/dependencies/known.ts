/** Why each package that package.json names is there. */
export const WHY: Readonly<Record<string, string>> = {
  'smol-toml': 'reads `epmux.toml`; no dependencies',
  socks: 'the SOCKS handshake of `--via` and of the proxies that dyno owners have',
  ssh2: 'SSH in this process: forwards, terminals and commands over one connection, without an `ssh` that asks or prints',
  undici:
    "HTTP through a proxy (`--via`, `HTTPS_PROXY`); Node's own `fetch` takes none. Loaded only where there is one",
  valibot:
    "checks configuration and Heroku's answers; no dependencies. Control messages, the state and what a supervisor keeps have checks of their own (`daemon/validate.ts`): a supervisor would hold 1.1 MiB more for it as long as it lives, and the wrappers for absent fields and for words a person reads are most of what is there",
  winston: "the daemon's log: levels, formats, to several places",
  yargs: 'the command line: parsing, help, and that they agree',
  'yocto-spinner': 'the step that is under way, in a terminal',
  '@biomejs/biome': 'format and lint',
  '@types/mocha': 'types',
  '@types/node': 'types of the oldest Node that is supported',
  '@types/ssh2': 'types',
  '@types/yargs': 'types',
  c8: 'coverage',
  esbuild: 'the build: the program in a few files, the agent as one',
  'fast-check': 'properties, seeded',
  knip: 'nothing unused, nothing unlisted',
  mocha: 'the tests',
  'oxc-parser': 'the imports of a file, for the test of the layers',
  publint: 'what is published can be used',
  tsx: 'runs the sources and the tests as they are written',
  typescript: 'types',
};

/** Licences that ask for no more than to be told. */
export const ALLOWED_LICENCES: readonly string[] = [
  ...['0BSD', 'Apache-2.0', 'BlueOak-1.0.0', 'BSD-2-Clause', 'BSD-3-Clause'],
  ...['ISC', 'MIT', 'MIT OR Apache-2.0', 'PSF-2.0', 'Unlicense'],
];

/**
 * These state it in the form of old (`licenses`), which the lock file does not take over; read in
 * their package.json by hand.
 */
export const LICENCES_OF_OLD: Readonly<Record<string, string>> = {
  'buildcheck@0.0.7': 'MIT',
  'cpu-features@0.0.10': 'MIT',
  'ssh2@1.17.0': 'MIT',
};

/** Packages with a script that runs when they are installed, and what it does. */
export const INSTALL_SCRIPTS: Readonly<Record<string, string>> = {
  'cpu-features':
    'compiles an addon by which ssh2 prefers ciphers; optional, and not wanted: epmux states its ciphers itself',
  esbuild:
    'looks whether the program for this platform, an optional package of the lock file, is there, and downloads it where it is not. Not needed: esbuild finds the program without it',
  ssh2: "compiles ssh2's own C++, which makes its ciphers faster; where that fails, ssh2 does without and the script succeeds. It downloads nothing itself; `node-gyp` gets the headers of this Node where they are not on the machine (`npm_config_nodedir`)",
};
