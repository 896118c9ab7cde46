import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  hashFile,
  IftError,
  knownDatasets,
  version,
  type Ift,
  type MixtureRow,
  type ModelFiles,
  type Segment,
} from '@ift/core'
import type { FoundAdapter } from '../find-adapter.js'
import { readResults, type EvaluationResult } from './evaluation-results.js'
import { combineLicences, type CombinedLicence, type Licensed } from './licences.js'
import { licenceOfCard } from './read-head.js'
import { publicName, type PublicName } from './names.js'
import { readRun, readSettings, type AdapterSettings, type RecordedRun } from './read-run.js'

/** What a user decides about a card. */
export interface CardOptions {
  /** `org/name` that the adapter is published under; the commands of the card say it. */
  readonly repo?: string | undefined
  readonly title?: string | undefined
  /** Id of the base on the hub, where it was trained from a folder. */
  readonly base?: string | undefined
  readonly license?: string | undefined
  /** Codes of languages, beside those that the datasets are known to have. */
  readonly languages?: readonly string[] | undefined
}

/** A set of the training data. */
export interface DataSource extends Licensed, PublicName {
  /** Null for a run of a version that did not record it. */
  readonly row: MixtureRow | null
  /** Whose terms apply besides. */
  readonly others: readonly string[]
  /** Evaluation data that it is known to hold. */
  readonly evaluation: readonly string[]
  readonly warnings: readonly string[]
  readonly languages: readonly string[]
}

/** A conversation of one turn, as the template writes it. */
export interface RenderedExample {
  readonly template: string
  readonly text: string
  /** What of it is learned. */
  readonly learned: string
  /** What a model is asked with. */
  readonly prompt: string
}

/** Everything that a card tells. */
export interface CardFacts {
  readonly title: string
  readonly method: string
  readonly repo: string | null
  readonly base: PublicName | null
  readonly family: string | null
  readonly settings: AdapterSettings
  readonly run: RecordedRun
  readonly sources: readonly DataSource[]
  readonly languages: readonly string[]
  readonly licence: CombinedLicence
  readonly results: readonly EvaluationResult[]
  readonly example: RenderedExample | null
  /** sha256 of the files of tensors. */
  readonly weights: ReadonlyMap<string, string>
  readonly ift: string
}

const codes: Readonly<Record<string, string>> = { EN: 'en', CN: 'zh', ML: 'multilingual' }

/** Names of a run's sets: of its mixture, or of the config of an older version. */
function setsOf({ manifest }: RecordedRun): { readonly name: string; readonly row: MixtureRow | null }[] {
  if (manifest === null) return []
  if (manifest.mixture) return manifest.mixture.map((row) => ({ name: row.name, row }))
  return [manifest.config['data']].flat().flatMap((entry: unknown) => {
    const named =
      typeof entry === 'string' ? { name: entry } : (entry as { name?: unknown; path?: unknown } | null)
    const name =
      named && ('name' in named && named.name !== undefined ? named.name : (named as { path?: unknown }).path)
    return typeof name === 'string' ? [{ name, row: null }] : []
  })
}

function sourcesOf(ift: Ift, run: RecordedRun): DataSource[] {
  const known = new Map(knownDatasets(ift).map((one) => [one.name, one]))
  return setsOf(run).map(({ name, row }) => {
    const one = known.get(name)
    const recorded = run.manifest?.licenses?.[name]
    const stated = recorded ?? one?.license.id ?? null
    const shown = one
      ? { name, ...(one.facts?.hub !== undefined && { id: one.facts.hub }) }
      : publicName(name, ift.rootDir)
    return {
      ...shown,
      row,
      // Words of a card for a set that states none.
      license: stated === null || /^(none stated|of each set)/.test(stated) ? null : stated,
      commercial: one?.license.commercial,
      shareAlike: one?.license.shareAlike,
      others: one?.facts?.license.terms ?? [],
      evaluation: one?.evaluation ?? [],
      warnings: one?.facts?.warnings ?? [],
      languages: (one?.tags?.lang ?? []).map((language) => codes[language] ?? language),
    }
  })
}

const examples = {
  en: { instruction: 'Name the three primary colours of light.', output: 'Red, green and blue.' },
  zh: { instruction: '光的三原色是什么？', output: '红、绿、蓝。' },
}

function renderExample({ template, tokenizer }: ModelFiles, languages: readonly string[]): RenderedExample {
  const isChinese = languages.includes('zh') && !languages.includes('en')
  const example = { input: '', ...examples[isChinese ? 'zh' : 'en'] }
  const named = (id: number | null) => (id === null ? '' : (tokenizer.token(id) ?? ''))
  const specials: Readonly<Record<string, string>> = {
    bos: named(tokenizer.bosId),
    eos: named(tokenizer.eosId),
  }
  const textOf = ({ text, special }: Segment) => (special === true ? (specials[text] ?? text) : text)
  const text = (segments: readonly Segment[]) => segments.map(textOf).join('')
  const segments = template.render(example, 'assistant')
  // Tokenizers put the token that a text begins with before it themselves.
  const prompt = template.prompt(example).filter((part) => !(part.special === true && part.text === 'bos'))
  return {
    template: template.name,
    text: text(segments),
    learned: text(segments.filter(({ trained }) => trained)),
    prompt: text(prompt),
  }
}

const isWeights = (name: string) => /\.(safetensors|bin)$/.test(name)

/** Gathers what is known of an adapter. IFT_CARD_LICENSE for a licence that its data does not allow. */
export async function cardFacts(
  ift: Ift,
  { dir, run }: FoundAdapter,
  options: CardOptions,
  note: (text: string) => void,
): Promise<CardFacts> {
  const [settings, recorded] = [await readSettings(dir), await readRun(run)]
  const files = await ift.openFiles().catch((error: unknown) => {
    if (!(error instanceof IftError)) throw error
    note(`The card has no example of the template, and no licence of the base: ${error.message}`)
    return null
  })
  const spec =
    settings.base_model_name_or_path ??
    (recorded.manifest?.config['weights'] as string | undefined) ??
    files?.weights
  const base =
    options.base !== undefined
      ? { name: options.base, id: options.base }
      : spec === undefined || spec === ''
        ? null
        : publicName(spec, ift.rootDir)
  const sources = sourcesOf(ift, recorded)
  const languages = [
    ...new Set([...(options.languages ?? []), ...sources.flatMap((source) => source.languages)]),
  ]
  const peft = recorded.manifest?.config['peft'] as { readonly method?: string } | undefined
  const method = peft?.method ?? settings.peft_type?.toLowerCase() ?? 'adapter'
  const licensed: Licensed[] = [...sources]
  const ofBase = files && (await licenceOfCard(files.dir))
  if (base !== null && files) licensed.push({ name: `the base ${base.name}`, license: ofBase })
  const weights = new Map<string, string>()
  for (const name of (await readdir(dir)).filter(isWeights).sort())
    weights.set(name, await hashFile(join(dir, name)))
  return {
    title: options.title ?? options.repo?.split('/')[1] ?? `${base?.name ?? 'adapter'} · ${method}`,
    method,
    repo: options.repo ?? null,
    base,
    family: recorded.manifest?.family ?? files?.definition.name ?? null,
    settings,
    run: recorded,
    sources,
    languages,
    licence: combineLicences(licensed, options.license),
    results: await readResults(
      run === null ? [join(dir, 'eval')] : [join(run.dir, 'eval'), join(dir, 'eval')],
      note,
    ),
    example: files && renderExample(files, languages),
    weights,
    ift: recorded.manifest?.ift ?? version,
  }
}
