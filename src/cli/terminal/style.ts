// Not by its name: a Node that has no `styleText` is still to be told that it is too old.

import * as util from 'node:util';
import type { Environment } from '../../runtime/environment.ts';

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Dresses a text, or leaves it as it is where colour is not welcome. */
export type Paint = (style: Style, text: string) => string;

export const plain: Paint = (_style, text) => text;

interface MaybeTerminal {
  readonly isTTY?: boolean;
}

/** Colour and spinners: only on a terminal, and never under NO_COLOR, CI or a dumb terminal. */
export function isStylish(stream: MaybeTerminal, env: Environment): boolean {
  return stream.isTTY === true && !env['NO_COLOR'] && !env['CI'] && env['TERM'] !== 'dumb';
}

export function paintFor(stream: MaybeTerminal, env: Environment): Paint {
  if (!isStylish(stream, env)) return plain;
  return (style, text) => util.styleText(style, text, { validateStream: false });
}
