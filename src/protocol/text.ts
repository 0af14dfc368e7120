const encoder = new TextEncoder();
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

/** At most `maxBytes` of UTF-8, cut between characters. */
export function encodeTextWithin(text: string, maxBytes: number): Uint8Array {
  const room = new Uint8Array(Math.min(maxBytes, text.length * 3));
  const { written } = encoder.encodeInto(text, room);
  return room.subarray(0, written);
}

/** Text of the other end made safe for a terminal and a log line: control characters become `?`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, '?');
}

/** A JSON document, laid out in lines, with nothing else in it that a terminal would not print. */
export function jsonText(document: unknown): string {
  return JSON.stringify(document, null, 2).replace(UNPRINTABLE, (found) =>
    found === '\n' ? found : escaped(found),
  );
}

/** The text in quotes, as JSON has it, with nothing in it that a terminal would not print. */
export function quotedText(text: string): string {
  return JSON.stringify(text).replace(UNPRINTABLE, escaped);
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}
