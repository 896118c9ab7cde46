import { Argument, Option, type Command } from 'commander'
import { IftError, optionRows, suggest, type Operand, type Verb, type VerbOption } from '@ift/core'
import type { LineVerb } from '../overrides.js'

/** `keepAll` as it is typed: keep-all. */
export const flagOf = (key: string): string =>
  key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** How the line of a verb is read. */
export const lineOf = ({ name, options = {}, operands = {} }: Verb): LineVerb => ({
  name,
  flags: new Set(Object.keys(options).map(flagOf)),
  hasOperands: Object.keys(operands).length > 0,
})

const usage = (message: string, hint: string) => new IftError('IFT_USAGE', message, hint)

/** A number within the bounds of its declaration. */
function numberOf(
  flag: string,
  { type, min, max, default: usual }: Extract<VerbOption, { type: 'integer' | 'number' }>,
  text: string,
): number {
  const value = text.trim() === '' ? NaN : Number(text)
  const isKind = type === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value)
  if (isKind && value >= (min ?? -Infinity) && value <= (max ?? Infinity)) return value
  const bounds = [min === undefined ? '' : ` from ${min}`, max === undefined ? '' : ` to ${max}`].join('')
  throw usage(
    `--${flag} is "${text}", expected a ${type === 'integer' ? 'whole number' : 'number'}${bounds}.`,
    `--${flag} ${usual ?? min ?? 1}`,
  )
}

/** One of several words. */
function choiceOf(what: string, choices: readonly string[], text: string): string {
  if (choices.includes(text)) return text
  const near = suggest(text, choices)
  throw usage(
    `${what} is "${text}", expected one of ${choices.join(', ')}.`,
    near === null ? `Write one of them: ${choices.join(', ')}` : `Did you mean ${near}?`,
  )
}

const placeholders = { integer: 'n', number: 'x', string: 'text', choice: 'name' }

function optionOf(key: string, option: VerbOption): Option {
  const flag = flagOf(key)
  const names = `${option.short === undefined ? '' : `-${option.short}, `}--${flag}`
  if (option.type === 'boolean') return new Option(names, option.description)
  const value = option.value ?? placeholders[option.type]
  const isBare = option.type === 'string' && option.bare === true
  const listed = option.type === 'choice' ? `: ${option.choices.join(', ')}` : ''
  const made = new Option(
    `${names} ${isBare ? `[${value}]` : `<${value}>`}`,
    `${option.description}${listed}`,
  ).makeOptionMandatory(option.required === true)
  if (option.default !== undefined) made.default(option.default)
  if (option.type === 'choice') made.argParser((text) => choiceOf(`--${flag}`, option.choices, text))
  else if (option.type === 'string' && option.several === true)
    made.argParser((text, before: readonly string[] | undefined) => [...(before ?? []), text])
  else if (option.type !== 'string') made.argParser((text) => numberOf(flag, option, text))
  return made
}

function operandOf(name: string, { description, required, choices, several }: Operand): Argument {
  const listed = choices ? `: ${choices.join(', ')}` : ''
  const shown = several ? `${name}...` : name
  const made = new Argument(required ? `<${shown}>` : `[${shown}]`, `${description}${listed}`)
  return choices ? made.argParser((text) => choiceOf(name, choices, text)) : made
}

const types = new Set(['boolean', 'integer', 'number', 'string', 'choice'])

/** Refuses what a package registers as a verb and is none. */
export function checkVerb(verb: Verb): void {
  const fault =
    typeof (verb as Partial<Verb>).run !== 'function'
      ? 'has no function run'
      : Object.entries<Partial<VerbOption>>(verb.options ?? {})
          .filter(([, { type = '' }]) => !types.has(type))
          .map(([key, { type }]) => `declares option "${key}" of type "${type ?? ''}"`)[0]
  if (fault !== undefined)
    throw new IftError(
      'IFT_PLUGIN_INVALID',
      `The verb "${verb.name}" ${fault}.`,
      `Types of options: ${[...types].join(', ')}. See docs/plugins.md.`,
    )
}

/** Sections whose options are shown as one line: they have many, and a page of the documentation. */
const most = 12

/** Options of the config that matter for a verb, with their defaults. */
function configHelp(paths: readonly string[]): string {
  const rows = optionRows()
  const lines = paths.flatMap((path) => {
    const found = rows.filter((row) => row.path === path || row.path.startsWith(`${path}.`))
    const shown = found.slice(0, most).map(({ path: at, type, default: usual, description }) => {
      const value =
        type === 'boolean'
          ? ''
          : ` <${type.includes('[]') ? 'values' : type.includes(' | ') ? 'name' : type}>`
      const otherwise =
        usual === undefined || typeof usual === 'object' ? '' : ` (default: ${JSON.stringify(usual)})`
      return [`  --${at}${value}`, `${description}${otherwise}`] as const
    })
    const more = found.length - shown.length
    return more > 0 ? [...shown, [`  --${path}.…`, `${more} more: npx ift init --list`] as const] : shown
  })
  const width = Math.min(34, Math.max(...lines.map(([flag]) => flag.length)))
  return lines.map(([flag, text]) => `${flag.padEnd(width)}  ${text}`).join('\n')
}

/** A word of a selection that denies: `-licence:nc`. No option looks like it. */
const isDenied = (word: string) => /^-(\p{L}{3,}|\p{Script=Han}+)[:：]/u.test(word)

/** Words in the order in which the command line is read: behind `--`, what begins with a hyphen is no option. */
export function wordsOf({ operands = {} }: Verb, words: readonly string[]): readonly string[] {
  if (!Object.values(operands).some(({ denies }) => denies === true)) return words
  const end = words.indexOf('--')
  const [before, behind] = end < 0 ? [words, []] : [words.slice(0, end), words.slice(end + 1)]
  const denied = before.filter(isDenied)
  return denied.length === 0
    ? words
    : [...before.filter((word) => !isDenied(word)), '--', ...denied, ...behind]
}

/** Adds what a verb declares to a command of the command line. */
export function declareVerb(
  command: Command,
  { options = {}, operands = {}, config = [], help, example }: Verb,
): void {
  for (const [name, operand] of Object.entries(operands)) command.addArgument(operandOf(name, operand))
  for (const [key, option] of Object.entries(options)) command.addOption(optionOf(key, option))
  if (config.length)
    command.addHelpText('after', () => `\nOptions of the config that matter here:\n${configHelp(config)}`)
  if (help !== undefined) command.addHelpText('after', `\n${help}`)
  command.addHelpText('after', `\nExample:\n  ${example}\n`)
}

/** The options of a command line by their names; a switch that is not there is false. */
export const optionsOf = ({ options = {} }: Verb, given: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    Object.entries(options).map(([key, { type }]) => [
      key,
      type === 'boolean' && /^no[A-Z]/.test(key)
        ? // Commander takes `--no-model` as the opposite of a flag `--model`.
          given[key[2]!.toLowerCase() + key.slice(3)] === false
        : (given[key] ?? (type === 'boolean' ? false : undefined)),
    ]),
  ) as Parameters<Verb['run']>[0]['options']

/** The operands of a command line by their names. */
export const operandsOf = ({ operands = {} }: Verb, words: readonly unknown[]) =>
  Object.fromEntries(Object.keys(operands).map((name, i) => [name, words[i]])) as Parameters<
    Verb['run']
  >[0]['operands']
