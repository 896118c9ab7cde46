import { existsSync } from 'node:fs'
import { basename, isAbsolute } from 'node:path'
import { localPath, parseHubId } from '@ift/core'

/** How something is called where others read it. */
export interface PublicName {
  readonly name: string
  /** Id of the hub, where it has one. */
  readonly id?: string
}

/** An id of the hub, or the last part of a path: where something lies on a machine is nobody else's business. */
export function publicName(spec: string, rootDir: string): PublicName {
  const isLocal =
    isAbsolute(spec) || /^(\.{1,2}|~)([/\\]|$)/.test(spec) || existsSync(localPath(rootDir, spec))
  const hub = isLocal ? null : parseHubId(spec)
  if (hub) return { name: hub.id, id: hub.id }
  return { name: basename(spec.replaceAll('\\', '/')) }
}

/** A text in a cell of Markdown's tables. */
export const cell = (text: string): string =>
  text.replaceAll(/[|\\<>`*_[\]\n\r]/g, (sign) => (/[\n\r]/.test(sign) ? ' ' : `\\${sign}`))

/** A table of Markdown; numbers stand at the right. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  numbers: readonly number[] = [],
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [
    line(head),
    line(head.map((_, i) => (numbers.includes(i) ? '---:' : '---'))),
    ...rows.map(line),
  ].join('\n')
}

/** A block of text that nothing in it can end. */
export function fence(text: string, language = ''): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length))
  const ticks = '`'.repeat(longest + 1)
  return `${ticks}${language}\n${text}${text.endsWith('\n') ? '' : '\n'}${ticks}`
}

export const count = (value: number): string => value.toLocaleString('en')
