/**
 * Text that came from elsewhere, made harmless for a terminal: line ends become blanks, and what
 * commands it, hides, or turns the direction of writing becomes U+FFFD.
 */
export function printable(text: string): string {
  return text
    .replace(/\s*[\r\n\p{Zl}\p{Zp}]+\s*/gu, ' ')
    .replace(/\p{Cc}|\p{Bidi_Control}|[\u200B\u2060\uFEFF\u{E0000}-\u{E007F}]/gu, '\uFFFD');
}
