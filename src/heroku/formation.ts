import { EpmuxError } from '../protocol/errors.ts';
import type { Dyno } from './answers.ts';

/** A dyno that a tunnel leads to. A restarted dyno keeps its name and has another id. */
export interface WantedDyno extends Dyno {
  /** Only then there is an SSH server. */
  readonly isUp: boolean;
}

export interface Formation {
  /** By process type, then by number. */
  readonly wanted: readonly WantedDyno[];
  /** Selectors that nothing fits at this moment. */
  readonly unmatched: readonly string[];
}

/** Started for one task and gone after it: only reached when they are named. */
const ONE_OFF = ['run', 'release', 'scheduler'];

/**
 * Which of an app's dynos the selectors mean: `web.1` that dyno, `web` all of the type, no selector
 * the whole formation.
 */
export function formationOf(dynos: readonly Dyno[], selectors: readonly string[]): Formation {
  const isWanted = (dyno: Dyno): boolean =>
    selectors.length === 0
      ? !ONE_OFF.includes(dyno.type)
      : selectors.some((selector) => fits(dyno, selector));
  return {
    wanted: dynos
      .filter(isWanted)
      .map((dyno) => ({ ...dyno, isUp: dyno.state === 'up' }))
      .toSorted(byName),
    unmatched: selectors.filter((selector) => !dynos.some((dyno) => fits(dyno, selector))),
  };
}

/**
 * For a beginning, when it is too early to wait for what is not there: throws DYNO_NOT_FOUND, or
 * DYNO_NOT_RUNNING when none is up.
 */
export function requireRunning(
  app: string,
  dynos: readonly Dyno[],
  selectors: readonly string[],
): readonly WantedDyno[] {
  const { wanted, unmatched } = formationOf(dynos, selectors);
  const [missing] = unmatched;
  if (missing !== undefined && dynos.length > 0) {
    throw new EpmuxError('DYNO_NOT_FOUND', `${app} has no dyno ${missing}; it has ${list(dynos)}`, {
      hint: nameOne(app, dynos, missing),
    });
  }
  if (wanted.length === 0) {
    throw new EpmuxError('DYNO_NOT_RUNNING', `no dyno of ${app} is running`, {
      hint: ONE_OFF.includes(typeOf(missing ?? ''))
        ? `it ends with what it was started for: \`heroku ps -a ${app}\` shows what runs`
        : `start one: \`${scale(app, missing ?? 'web')}\``,
    });
  }
  if (!wanted.some((dyno) => dyno.isUp)) {
    throw new EpmuxError('DYNO_NOT_RUNNING', `no dyno of ${app} is up: ${list(wanted)}`, {
      hint: wanted.some((dyno) => dyno.state === 'crashed')
        ? `\`heroku logs -a ${app}\` says why it crashed, \`heroku ps:restart -a ${app}\` starts it anew`
        : `\`heroku ps -a ${app}\` shows the state of the dynos`,
    });
  }
  return wanted;
}

/** To scale a type to 1 of which more run would end the others. */
function nameOne(app: string, dynos: readonly Dyno[], missing: string): string {
  const type = typeOf(missing);
  const canStart = !ONE_OFF.includes(type) && !dynos.some((dyno) => dyno.type === type);
  return canStart
    ? `name one of them, or start one: \`${scale(app, missing)}\``
    : 'name one of them';
}

function scale(app: string, selector: string): string {
  return `heroku ps:scale ${typeOf(selector)}=1 -a ${app}`;
}

/** `web.1 (up), worker.1 (crashed)` */
function list(dynos: readonly Dyno[]): string {
  return dynos
    .toSorted(byName)
    .map((dyno) => `${dyno.name} (${dyno.state})`)
    .join(', ');
}

/**
 * Whether the dyno of this name is meant: by its name, or its type. All are where there is no
 * selector.
 */
export function isSelected(name: string, selectors: readonly string[]): boolean {
  const type = name.split('.')[0] ?? '';
  return selectors.length === 0 || selectors.includes(name) || selectors.includes(type);
}

function fits(dyno: Dyno, selector: string): boolean {
  return dyno.name === selector || dyno.type === selector;
}

function typeOf(selector: string): string {
  return selector.split('.')[0] || 'web';
}

function byName(a: Dyno, b: Dyno): number {
  return a.name.localeCompare(b.name, 'en', { numeric: true });
}
