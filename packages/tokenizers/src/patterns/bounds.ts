import { IftError } from '@ift/core'
import { unsupported } from '../errors.js'
import { splits } from '../gguf-splits.js'
import { addon } from '../load.js'
import { outerSpaces } from '../sentencepiece/convert.js'
import { isUnigram, type ComponentJson, type TokenizerJson } from '../tokenizer-json.js'
import { isSmall, larger, leastRun, retries, wasted, type Cost } from './cost.js'
import { parsePattern, UnknownSyntax, type Characters } from './syntax.js'

// The tokenizers library splits and rewrites text with the regular expressions of a tokenizer.json, by a matcher that goes back. Nothing stops it from
// outside: it runs in native code, and what it gives up after ten million steps from one place ends the process. So what an expression may cost is
// estimated when a file is opened, and from that follows how many characters of the kinds that its loops go through may stand in a row.

/** Steps from one place of a text; the library ends the process at 10,000,000. */
const mostRetries = 8_000_000
/** Steps that begin at all places of a run together: some 8 seconds. */
const mostSteps = 500_000_000

/**
 * Characters of all expressions of a file: those of published ones have 1,000, and one of all pieces of a vocabulary that a user added some
 * 10,000. An expression of a normaliser may be compiled again for each behind it.
 */
const mostCharacters = 1 << 20

interface Place {
  readonly pattern: string
  readonly path: string
  /** Components that have changed the text before. */
  readonly before: readonly ComponentJson[]
}

/** The regular expressions of a component and of those inside it. */
function* patternsOf(
  component: unknown,
  path: string,
  before: readonly ComponentJson[] = [],
): Generator<Place> {
  if (typeof component !== 'object' || component === null) return
  const regex = ((component as ComponentJson)['pattern'] as { readonly Regex?: unknown } | null | undefined)
    ?.Regex
  if (typeof regex === 'string') yield { pattern: regex, path: `${path}.pattern.Regex`, before }
  for (const field of ['normalizers', 'pretokenizers', 'decoders']) {
    const inner = (component as ComponentJson)[field]
    if (!Array.isArray(inner)) continue
    for (const [i, part] of (inner as ComponentJson[]).entries())
      yield* patternsOf(part, `${path}.${field}[${i}]`, [
        ...before,
        ...(inner as ComponentJson[]).slice(0, i),
      ])
  }
}

/** Throws IFT_TOKENIZER_UNSUPPORTED for expressions that are too long to be compiled and looked at. */
export function checkLengths({ normalizer, pre_tokenizer, decoder }: TokenizerJson, file: string): void {
  let all = 0
  for (const [field, component] of Object.entries({ normalizer, pre_tokenizer, decoder }))
    for (const { pattern, path } of patternsOf(component, field)) {
      all += pattern.length
      const others = all > pattern.length ? ' with the expressions before it' : ''
      if (all > mostCharacters)
        throw unsupported(file, path, `expected at most ${mostCharacters} characters, found ${all}${others}.`)
    }
}

/** Line ends by their names: files have both. */
const spelled = (pattern: string) => pattern.replaceAll('\n', '\\n').replaceAll('\r', '\\r')

/**
 * Published expressions in which one alternative goes through the run that another has gone through in vain, so that this happens once for a
 * run. It is what `\s*[\r\n]+` does on blanks, and `\s+` behind it.
 */
const published: ReadonlySet<string> = new Set([
  ...Object.values(splits)
    .flatMap(({ preTokenizer }) => [...patternsOf(preTokenizer, '')])
    .map(({ pattern }) => spelled(pattern))
    .filter((pattern) => pattern.endsWith('|\\s+(?!\\S)|\\s+')),
  // Those begin at the border of a run.
  ...Object.values(outerSpaces),
])

/** A loop of one step for each character of any kind. */
const onceThrough: Cost = { factor: 1, degree: 1, sets: new Set([null]) }

/** Most characters in a row for an expression; null where it may be any number. */
function longestRun({ pattern, path }: Place, file: string): Run | null {
  const isPublished = published.has(spelled(pattern))
  let cost: Cost
  let tried: Cost
  try {
    const node = parsePattern(pattern)
    cost = wasted(node)
    tried = larger(cost, retries(node))
  } catch (cause) {
    if (!(cause instanceof UnknownSyntax)) throw cause
    throw unsupported(file, path, `what ${shown(pattern)} costs is not known: it has ${cause.message}.`)
  }
  if (isPublished && cost.factor === Infinity) cost = tried = onceThrough
  // Choices between a few characters each cost the same on every text.
  const isFixed = ({ factor, degree, sets }: Cost) => degree === 0 && sets.size === 0 && factor <= mostRetries
  if ([cost, tried].every((one) => isSmall(one) || isFixed(one))) return null
  const most = isPublished
    ? mostRetries
    : Math.floor(
        Math.min(
          tried.degree === 0 ? Infinity : (mostRetries / tried.factor) ** (1 / tried.degree),
          (mostSteps / cost.factor) ** (1 / (cost.degree + 1)),
        ),
      )
  if (!(most >= leastRun) || (tried.degree === 0 && tried.factor > mostRetries))
    throw unsupported(
      file,
      path,
      `${shown(pattern)} may take more than ${mostRetries} steps on ${leastRun} characters, as its loops go through the same characters in many ways.`,
    )
  return { most, outside: outsideOf(tried.sets), path, pattern }
}

const shown = (pattern: string) => JSON.stringify(pattern.length > 80 ? `${pattern.slice(0, 80)}…` : pattern)

/** Most characters in a row. */
interface Run {
  readonly most: number
  /** Finds a character that ends a run; null where any goes on with it. */
  readonly outside: RegExp | null
  readonly path: string
  readonly pattern: string
}

const outsideOf = (sets: ReadonlySet<Characters>): RegExp | null =>
  sets.has(null) ? null : new RegExp(`(?!${[...sets].join('|')})[^]`, 'gu')

/** Whether a text has more in a row than it may. */
function exceeds(text: string, { most, outside }: Run): boolean {
  if (!outside) return text.length > most
  for (let from = 0; text.length - from > most;) {
    outside.lastIndex = from
    const found = outside.exec(text)
    if ((found?.index ?? text.length) - from > most) return true
    if (!found) return false
    from = outside.lastIndex
  }
  return false
}

/** How much longer a normaliser may make a text; of one that is not known, infinitely. */
function growthOf({ type, normalizers, content, prepend, pattern }: ComponentJson): number {
  const lengthOf = (text: unknown) => (typeof text === 'string' ? text.length : 0)
  switch (type) {
    case 'Sequence':
      return Array.isArray(normalizers)
        ? (normalizers as ComponentJson[]).reduce((all, inner) => all * growthOf(inner), 1)
        : Infinity
    case 'Replace': {
      const replaced = lengthOf((pattern as { readonly String?: unknown } | null)?.String)
      return replaced > 0 ? Math.max(1, lengthOf(content) / replaced) : Infinity
    }
    case 'Prepend':
      return 1 + lengthOf(prepend)
    case 'Strip':
    case 'StripAccents':
    case 'Nmt':
      return 1
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
    case 'Lowercase':
      // U+FDFA becomes 18 characters.
      return 18
    default:
      return Infinity
  }
}

/** Makes of a text what some normalisers make of it. */
function normalizerOf(components: readonly ComponentJson[]): (text: string) => string {
  if (components.length === 0) return (text) => text
  const normalizer = { type: 'Sequence', normalizers: components }
  const model = { type: 'WordLevel', vocab: { x: 0 }, unk_token: 'x' }
  const json = JSON.stringify({ version: '1.0', added_tokens: [], normalizer, model })
  const own = addon().NativeTokenizer.open(json, false)
  return (text) => own.normalize(text)!
}

/** Expressions that see the same text. */
interface Stage {
  readonly runs: readonly Run[]
  /** A text that is no longer can have no run that is too long. */
  readonly free: number
  readonly textOf: (given: string) => string
}

/** Components behind which characters are no longer those of the text: spaces are letters, and bytes characters. */
const rewrites = (component: ComponentJson) =>
  JSON.stringify(component).search(/"(ByteLevel|Metaspace)"/) >= 0
/** A byte becomes a character, and a space may stand in front. */
const bytesOfCharacter = 4

/** What the expressions of a tokenizer.json may cost. */
export class PatternBounds {
  readonly #file: string
  readonly #stages: readonly Stage[]

  /** Throws IFT_TOKENIZER_UNSUPPORTED for an expression that takes too long on short texts already, or whose cost is not known. */
  constructor({ normalizer, pre_tokenizer, decoder, model, added_tokens }: TokenizerJson, file: string) {
    this.#file = file
    const stage = (runs: readonly Run[], before: readonly ComponentJson[]): Stage => ({
      runs,
      free: Math.min(...runs.map(({ most }) => most)) / before.reduce((all, one) => all * growthOf(one), 1),
      textOf: normalizerOf(before),
    })
    const splitting = [...patternsOf(pre_tokenizer, 'pre_tokenizer')].flatMap((place) => {
      const run = longestRun(place, file)
      if (!run) return []
      return [
        place.before.some(rewrites) ? { ...run, most: run.most / bytesOfCharacter, outside: null } : run,
      ]
    })
    this.#stages = [
      ...[...patternsOf(normalizer, 'normalizer')].flatMap((place) => {
        const run = longestRun(place, file)
        return run ? [stage([run], place.before)] : []
      }),
      ...(splitting.length > 0 ? [stage(splitting, normalizer ? [normalizer] : [])] : []),
    ]
    const tokens = [
      ...(isUnigram(model) ? model.vocab.map(([token]) => token) : Object.keys(model.vocab)),
      ...added_tokens.map(({ content }) => content),
    ]
    for (const place of patternsOf(decoder, 'decoder')) {
      const run = longestRun(place, file)
      if (!run) continue
      // Behind another part, which may join tokens (Fuse, ByteLevel) or lengthen them, it sees texts that nobody has looked at.
      if (place.before.length > 0)
        throw unsupported(
          file,
          place.path,
          `${shown(place.pattern)} goes through the same characters again and again, which a decoder may do on single tokens alone, as its first part.`,
        )
      if (tokens.some((token) => exceeds(token, run))) throw this.#beyond(run, 'a token')
    }
  }

  /** Throws IFT_TOKENIZER_FAILED for a text on which an expression may take too long. */
  check(text: string): void {
    for (const { runs, free, textOf } of this.#stages) {
      if (text.length <= free) continue
      const seen = textOf(text)
      for (const run of runs) if (exceeds(seen, run)) throw this.#beyond(run, 'a text')
    }
  }

  #beyond({ most, path, pattern }: Run, what: string): IftError {
    return new IftError(
      'IFT_TOKENIZER_FAILED',
      `${this.#file}: ${path}: ${what} has more than ${Math.floor(most)} characters in a row that ${shown(pattern)} may go through again and again.`,
      'Leave the text out, or shorten what repeats in it.',
    )
  }
}
