/** Text that came from elsewhere, made harmless for a terminal: control characters become U+FFFD, line ends blanks. */
export function printable(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ').replace(/\p{Cc}/gu, '\uFFFD');
}
