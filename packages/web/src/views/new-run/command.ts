import type { Fault } from '../../api/types.js'

/** A part of a command or a config file; wrong ones are underlined. */
export interface CommandPart {
  readonly text: string
  readonly wrong: boolean
}

/** A command over several lines of a shell; the lines behind the first are indented by the server. */
export const commandText = (lines: readonly string[]): string => lines.join(' \\\n')

const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Lines of a command with the values of wrong options marked. */
export function commandParts(
  lines: readonly string[],
  faults: readonly Pick<Fault, 'path'>[],
): CommandPart[] {
  const paths = faults.map(({ path }) => path).filter((path) => path !== '')
  const flag = new RegExp(`(--(?:${paths.map(escaped).join('|')})(?:[.][\\w.]+)?[ =])(.*?)(?= --|$)`, 'gs')
  return mark(commandText(lines), paths.length === 0 ? null : flag)
}

/** Text of a config file with the values of wrong options marked: by the last key of their path. */
export function fileParts(file: string, faults: readonly Pick<Fault, 'path'>[]): CommandPart[] {
  const keys = faults.map(({ path }) => path.split('.').at(-1)!).filter((key) => key !== '')
  const entry = new RegExp(`("(?:${keys.map(escaped).join('|')})": )([^\\n{[]+?)(?=,?\\n)`, 'g')
  return mark(file, keys.length === 0 ? null : entry)
}

function mark(text: string, wrong: RegExp | null): CommandPart[] {
  if (wrong === null) return [{ text, wrong: false }]
  const parts: CommandPart[] = []
  let last = 0
  for (const match of text.matchAll(wrong)) {
    const [, before, value] = match as unknown as [string, string, string]
    // A flag that goes on in the next line of the shell ends before its backslash.
    const shown = value.replace(/ \\\n[\s\S]*$/, '')
    if (shown === '') continue
    const from = match.index + before.length
    parts.push({ text: text.slice(last, from), wrong: false }, { text: shown, wrong: true })
    last = from + shown.length
  }
  parts.push({ text: text.slice(last), wrong: false })
  return parts.filter((part) => part.text !== '')
}
