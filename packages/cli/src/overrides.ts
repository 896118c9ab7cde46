import { IftError, optionRows, rankPlacement, suggest, type Flags, type OptionRow } from '@ift/core'
import { SeedBatch } from './seed/batch.js'
import { isSeedScript, seedFlags, seedWords, translateSeedFlag } from './seed/flags.js'
import { SeedPeft } from './seed/method.js'

/** What of a verb decides how its line is read. */
export interface LineVerb {
  readonly name: string
  /** Its own flags, without hyphens: an option of the config that has the name of one is set in the file. */
  readonly flags: ReadonlySet<string>
  /** Whether it takes words that are no flags: the words behind a flag of the method are then no list. */
  readonly hasOperands: boolean
}

/** A command line taken apart: flags of the config, and what is left for the verb. */
export interface SplitLine {
  readonly rest: readonly string[]
  /** Words by the option of the config that they set. */
  readonly flags: Flags
  /** Options that flags of the original stand for, nested as the config file writes them. */
  readonly overrides: Readonly<Record<string, unknown>>
  /** Notes for the user about flags that were translated. */
  readonly notes: readonly string[]
}

function assign(target: Record<string, unknown>, path: string, value: unknown): void {
  const keys = path.split('.')
  let here = target
  for (const key of keys.slice(0, -1)) here = (here[key] ??= {}) as Record<string, unknown>
  here[keys.at(-1)!] = value
}

let rows: ReadonlyMap<string, OptionRow> | undefined
/** Options of the config by their paths: made when a flag asks for them, as it takes as long as the rest of a short command. */
const known = () => (rows ??= new Map(optionRows().map((row) => [row.path, row])))

/** The switch that `--no-NAME` puts off. */
const putOff = (name: string) => {
  const option = name.startsWith('no-') ? name.slice(3) : ''
  return isSwitch(option) && !known().has(name) ? option : null
}

const isOption = (name: string) => known().has(name) || /^(peft|train\.optimizer)\./.test(name)

/** Options of which each value has a flag of its own: `--adapter a=DIR --adapter b=DIR`. */
const repeated: ReadonlySet<string> = new Set(['adapter'])

/** Flags of the command line itself. */
const general = ['config', 'help', 'version']

const looksLikeFlag = (word: string | undefined) => word === undefined || /^--?[a-zA-Z]/.test(word)

/** Types of an option; those of the elements of a list, in brackets, are not its own. */
const alternatives = (name: string) =>
  known()
    .get(name)
    ?.type.split(/ \| (?![^(]*\))/) ?? []

/** Options that may stand alone and mean yes; some of them take words as well. */
const isSwitch = (name: string) =>
  alternatives(name).includes('boolean') && !alternatives(name).includes('string')

/** Whether a word behind a switch belongs to it: what else stands there is for the verb. */
const switches = (name: string, word: string) =>
  /^(true|false)$/.test(word) ||
  (alternatives(name).includes(word) && !/^(boolean|object)$/.test(word)) ||
  (alternatives(name).includes('object') && /^\s*\{/.test(word))

/** How many words may stand behind a flag of the config. */
function mostWords(name: string, verb: LineVerb | undefined): number {
  const type = known().get(name)?.type
  if (type === undefined) return verb && !verb.hasOperands ? Infinity : 1
  return type.includes('[]') ? Infinity : 1
}

/**
 * Takes the flags that set config options off a command line: dotted ones (`--train.epochs 2`, `--peft.r 16`), top-level
 * ones (`--weights ./m`, `--data alpaca ./x.json`), switches that are put off (`--no-deterministic`), and those of the original platform's scripts (`--lora_r 8`), which depend on the
 * verb. Flags of the verb itself stay on the line. `IFT_USAGE` for a flag that nobody knows.
 */
export function takeOverrides(argv: readonly string[], verb?: LineVerb): SplitLine {
  const rest: string[] = []
  const flags: Record<string, readonly string[]> = {}
  const overrides: Record<string, unknown> = {}
  const notes: string[] = []
  const batch = new SeedBatch()
  const peft = new SeedPeft()
  let processes: number | undefined
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!
    if (word === '--') {
      rest.push(...argv.slice(i))
      break
    }
    const match = /^--([^=]+)(?:=(.*))?$/s.exec(word)
    if (!match) {
      if (!(verb && isSeedScript(word))) rest.push(word)
      continue
    }
    const [, typed, inline] = match
    const name = typed!
    const take = (most: number) => {
      if (inline !== undefined) return [inline]
      const words: string[] = []
      while (words.length < most && !looksLikeFlag(argv[i + 1])) words.push(argv[++i]!)
      return words
    }
    if (verb?.flags.has(name) || general.includes(name)) {
      rest.push(word)
      continue
    }
    if (verb && batch.take(name, () => take(1))) continue
    const seed = verb && translateSeedFlag(verb.name, name)
    if (seed) {
      const { path, value, note, words } = seed(take(seedWords(name, argv[i + 1])), name)
      if (words) rest.push(...words)
      if (words?.[0] === '--nproc') processes = Number(words[1])
      if (path !== undefined && !peft.take(name, path, value)) assign(overrides, path, value)
      if (note !== undefined) notes.push(note)
      continue
    }
    const off = putOff(name)
    if (off !== null) {
      if (inline !== undefined)
        throw new IftError(
          'IFT_USAGE',
          `--${name} takes no value, found ${inline}.`,
          `Or: --${off} ${inline}`,
        )
      flags[off] = ['false']
      continue
    }
    if (isOption(name)) {
      if (isSwitch(name))
        flags[name] = inline === undefined && !switches(name, argv[i + 1] ?? '') ? [] : take(1)
      else if (repeated.has(name)) flags[name] = [...(flags[name] ?? []), ...take(1)]
      else flags[name] = take(mostWords(name, verb))
      continue
    }
    if (verb) throw unknownFlag(name, verb)
    rest.push(word)
  }
  const size = batch.size(processes ?? processesHere())
  if (size) assign(overrides, 'train.batchSize', size.value)
  if (size?.note != null) notes.push(size.note)
  const method = peft.options()
  if (Object.keys(method.values).length) overrides['peft'] = method.values
  notes.push(...method.notes)
  return { rest, flags, overrides, notes }
}

/** Ranks of the run that a launcher has put this process into. */
function processesHere(): number {
  const placement = rankPlacement()
  return placement.kind === 'rank' ? placement.place.worldSize : 1
}

function unknownFlag(name: string, verb: LineVerb): IftError {
  const near = suggest(name, [...known().keys(), ...verb.flags, ...seedFlags(verb.name), ...general])
  return new IftError(
    'IFT_USAGE',
    `There is no option --${name}.`,
    near
      ? `Did you mean --${near}?`
      : `Flags: npx ift ${verb.name} --help. Options of the config: docs/configuration.md`,
  )
}
