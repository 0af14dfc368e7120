/**
 * `systemctl`, `systemd-notify` and `launchctl` as far as epmux asks them, where the real ones
 * can't be had: they write down what they are asked, and remember what was enabled and started.
 * They start nothing.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SYSTEMCTL = `#!/bin/sh
PATH=/usr/bin:/bin
cd "\${0%/*}" || exit 99
echo "systemctl $*" >> calls
if [ -f broken ]; then cat broken >&2; exit 1; fi
case "$2" in
  enable) : > enabled;;
  disable) rm -f enabled;;
  restart) if [ -f refuses ]; then cat refuses >&2; exit 1; fi; : > active;;
  stop) rm -f active;;
  is-enabled) if [ -f enabled ]; then echo enabled; else echo disabled; exit 1; fi;;
  is-active) if [ -f active ]; then echo active; else echo inactive; exit 3; fi;;
esac
`;

const LAUNCHCTL = `#!/bin/sh
PATH=/usr/bin:/bin
cd "\${0%/*}" || exit 99
echo "launchctl $*" >> calls
shorter() { tail -n +2 "$1" > rest; mv rest "$1"; }
case "$1 $2" in
  bootstrap*) if [ -s held ]; then shorter held; echo 'Bootstrap failed: 5: Input/output error' >&2; exit 5; fi; : > active;;
  bootout*) if [ -s ending ]; then : > told; echo 'Boot-out failed: 36: Operation now in progress' >&2; exit 36; fi; rm -f active;;
  "print "*/epmux)
    if [ -f told ]; then if [ -s ending ]; then shorter ending; else rm -f told active; fi; fi
    if [ -f active ]; then printf 'x = {\\n\\tstate = running\\n}\\n'; else exit 113; fi;;
esac
`;

export class ServiceTools {
  /** To be put on the PATH. */
  readonly folder: string;

  constructor(folder: string, tools: readonly string[] = ['systemctl', 'systemd-notify']) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    const scripts = { systemctl: SYSTEMCTL, launchctl: LAUNCHCTL, 'systemd-notify': '#!/bin/sh\n' };
    for (const [name, text] of Object.entries(scripts)) {
      if (!tools.includes(name)) continue;
      writeFileSync(join(folder, name), text);
      chmodSync(join(folder, name), 0o755);
    }
  }

  /** What they were asked since this was called last. */
  calls(): readonly string[] {
    const file = join(this.folder, 'calls');
    const calls = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
    writeFileSync(file, '');
    return calls.filter((call) => call !== '');
  }

  /**
   * As launchd does: a job that is told to end is known to so many questions more, and its label
   * then refused to so many starts.
   */
  endSlowly(questions: number, starts: number): void {
    writeFileSync(join(this.folder, 'ending'), '.\n'.repeat(questions));
    writeFileSync(join(this.folder, 'held'), '.\n'.repeat(starts));
  }

  /** From now on: there is no manager, or it starts nothing; with these words. */
  fail(how: 'broken' | 'refuses', words: string): void {
    writeFileSync(join(this.folder, how), `${words}\n`);
  }
}
