import { IftError } from '@ift/tensor'
import { suggest } from '../../suggest.js'
import type { SelectableDataset } from './facts.js'
import { globMatches, isGlob } from './glob.js'
import {
  keyNames,
  keyOf,
  keyWords,
  licenceWords,
  meant,
  selectionWords,
  type SelectionKey,
  type Words,
} from './words.js'

// The grammar: terms with spaces between them, all of which must hold. A term is `key:value` or a word, `a|b` or `a,b` is one of
// several, `-` or `!` in front denies it. A value with spaces stands in double quotes.

/** One condition of a term. */
export interface Condition {
  /** Whether it names datasets: those are taken whatever they hold. */
  readonly names: boolean
  readonly holds: (facts: SelectableDataset) => boolean
}

/** Conditions of which one must hold, or none where the term is denied. */
export interface Term {
  readonly denied: boolean
  readonly conditions: readonly Condition[]
}

/** Signs of a query at most; it may come from a file. */
const mostSigns = 2000

const fault = (message: string, hint: string) =>
  new IftError('IFT_SELECTION', `Selection of datasets: ${message}`, hint)

const didYouMean = (text: string, known: readonly string[], otherwise: string): string => {
  const near = suggest(text, known)
  return near === null ? otherwise : `Did you mean ${near}?`
}

/** Parts of a text between separators that do not stand in quotes. */
function split(text: string, separator: RegExp): string[] {
  const parts = ['']
  let isQuoted = false
  for (const sign of text) {
    if (sign === '"') isQuoted = !isQuoted
    if (!isQuoted && separator.test(sign)) parts.push('')
    else parts.push(`${parts.pop()!}${sign}`)
  }
  if (isQuoted)
    throw fault(`expected a second quotation mark in ${text}, found none.`, 'licence:"none stated"')
  return parts
}

const unquoted = (text: string) => text.replaceAll('"', '')

/** Without the version: CC-BY-NC-4.0 is CC-BY-NC as well, and GPL-3.0-only is GPL. */
const withoutVersion = (id: string) => id.replace(/-\d[\d.]*(-only|-or-later)?$/i, '')

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()

/** A condition over names; IFT_SELECTION where no dataset is meant, so that a slip does not select nothing. */
function named(
  what: string,
  value: string,
  all: readonly SelectableDataset[],
  textsOf: (facts: SelectableDataset) => readonly string[],
  isMeant: (text: string) => boolean = (text) => globMatches(value, text),
): Condition {
  const texts = [...new Set(all.flatMap(textsOf))]
  if (!texts.some(isMeant))
    throw fault(
      `there is no ${what} ${isGlob(value) ? `like ${value}` : `"${value}"`}.`,
      didYouMean(value, texts, 'The names that there are: npx ift data list'),
    )
  return { names: what !== 'licence', holds: (facts) => textsOf(facts).some(isMeant) }
}

const factors: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, b: 1e9, 万: 1e4, 亿: 1e8 }

function counted(value: string): Condition {
  const match = /^(<=|>=|<|>|=)?(\d+(?:\.\d+)?)([kmgb万亿]?)$/i.exec(value.replaceAll('_', ''))
  if (match === null)
    throw fault(`count:${value}: expected a number with < or > before it.`, 'count:<100k, count:>=1M')
  const [, sign = '=', digits, factor] = match
  const bound = Number(digits) * factors[factor!.toLowerCase()]!
  const compare: Readonly<Record<string, (count: number) => boolean>> = {
    '<': (count) => count < bound,
    '<=': (count) => count <= bound,
    '>': (count) => count > bound,
    '>=': (count) => count >= bound,
    '=': (count) => count === bound,
  }
  return { names: false, holds: ({ count }) => count !== null && compare[sign]!(count) }
}

function licensed(value: string, all: readonly SelectableDataset[]): Condition {
  const word = meant(licenceWords, value)
  const holds: Readonly<Record<keyof typeof licenceWords, Condition['holds']>> = {
    nc: ({ license }) => license.commercial === false,
    sa: ({ license }) => license.shareAlike === true,
    commercial: ({ license }) => license.commercial === true,
  }
  if (word !== undefined) return { names: false, holds: holds[word] }
  const isMeant = (id: string) =>
    isGlob(value) ? globMatches(value, id) : same(value, id) || same(value, withoutVersion(id))
  return named('licence', value, all, ({ license }) => (license.id === null ? [] : [license.id]), isMeant)
}

function tagged(key: keyof typeof selectionWords, value: string): Condition {
  const words: Words = selectionWords[key]
  const tag = meant(words, value)
  if (tag === undefined)
    throw fault(
      `${key}:${value}: expected one of ${Object.keys(words).join(', ')}.`,
      didYouMean(
        value,
        Object.values(words).flat(),
        `npx ift data list ${key}:${Object.keys(words)[0]!.toLowerCase()}`,
      ),
    )
  const tagsOf = ({ tags, kind }: SelectableDataset): readonly string[] =>
    key === 'kind' ? kind : (tags?.[key] ?? [])
  return { names: false, holds: (facts) => tagsOf(facts).includes(tag) }
}

function conditionOf(key: SelectionKey | null, value: string, all: readonly SelectableDataset[]): Condition {
  switch (key) {
    case null: {
      const isMeant = (text: string) =>
        isGlob(value) ? globMatches(value, text) : text.toLowerCase().includes(value.toLowerCase())
      return named('dataset', value, all, ({ name, title }) => [name, title ?? []].flat(), isMeant)
    }
    case 'name':
      return named('dataset', value, all, ({ name }) => [name])
    case 'package':
      return named('package', value, all, ({ package: of }) =>
        of === null ? [] : [of, of.replace(/^@ift\/dataset-/, '')],
      )
    case 'count':
      return counted(value)
    case 'licence':
      return licensed(value, all)
    default:
      return tagged(key, value)
  }
}

/** A line that works, for a key without a value. */
const exampleOf = (key: SelectionKey | null): string => {
  if (key === 'count') return 'count:<100k'
  if (key === 'licence') return 'licence:nc'
  if (key === 'name' || key === 'package') return `${key}:belle`
  return Object.entries(selectionWords)
    .filter(([name]) => name === (key ?? 'lang'))
    .map(([name, words]) => `${name}:${Object.keys(words)[0]!.toLowerCase()}`)
    .join('')
}

function termOf(text: string, all: readonly SelectableDataset[]): Term {
  const denied = /^[-!]/.test(text)
  const conditions: Condition[] = []
  let key: SelectionKey | null = null
  for (const part of split(denied ? text.slice(1) : text, /[|,]/)) {
    const colon = part.startsWith('"') ? -1 : part.indexOf(':')
    const written = colon < 0 ? null : part.slice(0, colon)
    if (written !== null) key = keyOf(written) ?? null
    if (written !== null && key === null)
      throw fault(
        `there is no key "${written}" in ${text}: expected one of ${keyNames.join(', ')}.`,
        didYouMean(written, keyWords, 'npx ift data list lang:cn task:mt'),
      )
    const value = unquoted(part.slice(colon + 1))
    if (value === '')
      throw fault(
        `${text}: expected a value ${key === null ? 'or a word' : `of ${key}`}, found none.`,
        `npx ift data list '${exampleOf(key)}'`,
      )
    conditions.push(conditionOf(key, value, all))
  }
  return { denied, conditions }
}

/** Terms of a query. IFT_SELECTION for a key, value or name that there is none of among `all`. */
export function parseSelection(query: string, all: readonly SelectableDataset[]): Term[] {
  if (query.length > mostSigns)
    throw fault(`expected at most ${mostSigns} signs, found ${query.length}.`, 'Write fewer terms.')
  // Signs of a Chinese keyboard are those of ASCII, only wider.
  const plain = query.normalize('NFKC').replaceAll('、', ',')
  return split(plain, /\s/)
    .filter((text) => text !== '')
    .map((text) => termOf(text, all))
}
