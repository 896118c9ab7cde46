/**
 * A field as the original platform read it, with Python's csv module: quotes at its start enclose text in which two
 * stand for one, and what follows the closing quote is kept.
 */
export function unquote(field: string): string {
  const match = /^"((?:[^"]|"")*)"?(.*)$/s.exec(field)
  return match ? match[1]!.replaceAll('""', '"') + match[2]! : field
}
