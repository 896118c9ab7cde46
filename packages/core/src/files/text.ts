// Notepad and PowerShell put a byte order mark in front of what they save (UTF-8, or UTF-16 of little endian), which is no
// part of the text (RFC 8259, section 8.1; Unicode, section 23.8).

const marks: readonly (readonly [mark: readonly number[], encoding: string])[] = [
  [[0xef, 0xbb, 0xbf], 'utf-8'],
  [[0xff, 0xfe], 'utf-16le'],
  [[0xfe, 0xff], 'utf-16be'],
]

/**
 * A text without its byte order mark, in the encoding that the mark tells; UTF-8 without one. Throws a TypeError for bytes that are no text.
 */
export function decodeText(bytes: Uint8Array): string {
  const known = marks.find(([mark]) => mark.every((byte, i) => bytes[i] === byte))
  return new TextDecoder(known?.[1] ?? 'utf-8', { fatal: true }).decode(bytes)
}
