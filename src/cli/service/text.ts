import { EpmuxError } from '../../protocol/errors.ts';

/** What a service manager is told to run. */
export interface ServiceProgram {
  readonly command: readonly [program: string, ...args: string[]];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Without an answer for so long the service is started again; src/daemon/supervisor/notice.ts tells
 * three times as often.
 */
const WATCHDOG_S = 120;
/** For the supervisor to end the daemon in order, before it is killed. */
const STOP_S = 20;

/** In double quotes, as systemd reads them; `%` would begin a specifier. */
function quoted(text: string): string {
  if (/\p{Cc}/u.test(text)) {
    throw new EpmuxError('CONFIG_INVALID', 'a path of the service holds a control character');
  }
  return `"${text.replace(/["\\]/g, '\\$&').replaceAll('%', '%%')}"`;
}

/** A systemd user unit. `watchdog`: systemd-notify is there, and tells it that the daemon runs. */
export function unitText({ command, env }: ServiceProgram, watchdog: boolean): string {
  const [program, ...args] = command;
  const [script = ''] = args;
  // A dollar sign stands for itself in the program's path, and has to be doubled in its arguments.
  const words = [quoted(program), ...args.map((arg) => quoted(arg.replaceAll('$', '$$$$')))];
  const variables = Object.entries(env).map(([name, value]) => quoted(`${name}=${value}`));
  return [
    '[Unit]',
    'Description=epmux: tunnels to Erlang nodes',
    'StartLimitIntervalSec=0',
    // When epmux or its Node has been removed, nothing is tried every 10 s for ever.
    ...[program, script].map((file) => `ConditionPathExists=${file.replaceAll('%', '%%')}`),
    '',
    '[Service]',
    ...(watchdog
      ? ['Type=notify', 'NotifyAccess=all', `WatchdogSec=${WATCHDOG_S}`]
      : ['Type=exec']),
    `ExecStart=${words.join(' ')}`,
    ...variables.map((variable) => `Environment=${variable}`),
    'Restart=on-failure',
    'RestartSec=10',
    // The supervisor ends the daemon; when it is lost itself, the daemon goes on, and the next one
    // adopts it.
    'KillMode=process',
    `TimeoutStopSec=${STOP_S}`,
    '',
    '[Install]',
    'WantedBy=default.target',
    '',
  ].join('\n');
}

const XML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

function string(text: string): string {
  return `<string>${text.replace(/[&<>]/g, (sign) => XML[sign] ?? sign)}</string>`;
}

function dictionary(entries: Readonly<Record<string, string>>): string {
  const lines = Object.entries(entries).map(([key, value]) => `<key>${key}</key>${value}`);
  return `<dict>\n${lines.join('\n')}\n</dict>`;
}

/** A launchd agent's property list; what it says outside of its log goes to `stderrFile`. */
export function plistText(
  { command, env }: ServiceProgram,
  label: string,
  stderrFile: string,
): string {
  const variables = Object.entries(env).map(([name, value]) => [name, string(value)] as const);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    dictionary({
      Label: string(label),
      ProgramArguments: `<array>\n${command.map(string).join('\n')}\n</array>`,
      EnvironmentVariables: dictionary(Object.fromEntries(variables)),
      RunAtLoad: '<true/>',
      KeepAlive: dictionary({ SuccessfulExit: '<false/>' }),
      AbandonProcessGroup: '<true/>',
      ExitTimeOut: `<integer>${STOP_S}</integer>`,
      // With limits on CPU and disk, which its children inherit, heartbeats would be missed on a
      // busy machine.
      ProcessType: string('Interactive'),
      StandardErrorPath: string(stderrFile),
    }),
    '</plist>',
    '',
  ].join('\n');
}
