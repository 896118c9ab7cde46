import { IftError, optionRows, suggest } from '@ift/core'
import { translateSeedFlag } from './seed-flags.js'

/** A command line taken apart: flags of the config, and what is left for the verb. */
export interface SplitLine {
  readonly rest: readonly string[]
  /** Nested, as the config file writes it. */
  readonly overrides: Readonly<Record<string, unknown>>
  /** What the user should know about flags that were translated. */
  readonly notes: readonly string[]
}

/** A value as typed: JSON where it is JSON (numbers, true, lists), text otherwise. */
function parseValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

function assign(target: Record<string, unknown>, path: string, value: unknown): void {
  const keys = path.split('.')
  let here = target
  for (const key of keys.slice(0, -1)) {
    const next = here[key]
    if (typeof next === 'object' && next !== null) here = next as Record<string, unknown>
    else here = here[key] = {} as Record<string, unknown>
  }
  here[keys.at(-1)!] = value
}

const known = new Map(optionRows().map((row) => [row.path, row]))

/**
 * Takes the flags that set config options off a command line: dotted ones (`--train.epochs 2`, `--peft.r 16`), top-level
 * ones (`--weights ./m`, `--data alpaca ./x.json`), and those of the original platform's trainer (`--lora_r 8`). Flags of the
 * verb, `own`, stay on the line; an option of the config that has the name of one is set in the file.
 */
export function takeOverrides(argv: readonly string[], own: ReadonlySet<string> = new Set()): SplitLine {
  const rest: string[] = []
  const overrides: Record<string, unknown> = {}
  const notes: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!
    if (word === '--') {
      rest.push(...argv.slice(i))
      break
    }
    const match = /^--([^=]+)(?:=(.*))?$/s.exec(word)
    if (!match) {
      rest.push(word)
      continue
    }
    const [, name, inline] = match
    const values = inline === undefined ? [] : [inline]
    const takeAll = () => {
      if (inline === undefined)
        while (i + 1 < argv.length && !/^--?[a-zA-Z]/.test(argv[i + 1]!)) values.push(argv[++i]!)
      return values
    }
    if (own.has(name!)) {
      rest.push(word)
      continue
    }
    const seed = translateSeedFlag(name!)
    if (seed) {
      const { path, value, note, words } = seed(takeAll(), overrides)
      if (words) rest.push(...words)
      if (path !== undefined) assign(overrides, path, value)
      if (note !== undefined) notes.push(note)
      continue
    }
    if (name!.startsWith('peft.') || isOption(name!)) {
      const row = known.get(name!)
      const list = row?.type.includes('[]') === true
      if (list) assign(overrides, name!, takeAll().map(parseValue))
      else {
        if (inline === undefined && row?.type !== 'boolean' && argv[i + 1] !== undefined)
          values.push(argv[++i]!)
        else if (inline === undefined && /^(true|false)$/.test(argv[i + 1] ?? '')) values.push(argv[++i]!)
        assign(overrides, name!, values.length ? parseValue(values[0]!) : true)
      }
      continue
    }
    if (name!.includes('.')) throw unknownFlag(name!)
    rest.push(word)
  }
  return { rest, overrides, notes }
}

const isOption = (name: string) => known.has(name) || name === 'peft'

function unknownFlag(name: string): IftError {
  const near = suggest(name, known.keys())
  return new IftError(
    'IFT_USAGE',
    `There is no option "${name}".`,
    near ? `Did you mean --${near}?` : 'All options: npx ift init --list',
  )
}
