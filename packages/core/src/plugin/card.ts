import { fileURLToPath } from 'node:url'
import { IftError } from '@ift/tensor'
import * as z from '../config/options.js'
import { faults } from '../config/validate.js'
import { readPackageJson, reasonWithout, tagsSchema } from './manifest.js'

// card.json of a dataset package: everything that is known of its data without reading it.

const word = z.string().min(1).max(200)
const text = z.string().min(1).max(1000)
const count = z.strictObject({
  count: z.number().int().min(1),
  unit: word,
  /** Whose number it is: the document that states it, or "counted" for a file that was read for it. */
  by: word.optional(),
})

/** Where the data is published: one place, with the files that are read. */
const upstream = z.strictObject({
  /** `org/name` of a dataset on the Hugging Face hub. */
  hub: word.optional(),
  /** Any other place. */
  url: word.optional(),
  revision: word.optional(),
  files: z
    .array(z.strictObject({ path: word, bytes: z.number().int().min(1).optional(), sha256: word.optional() }))
    .max(1000)
    .default([]),
})

const license = z.strictObject({
  /** SPDX identifier, or the licence's name. */
  id: word,
  /** Whether commercial use is allowed; absent when nobody says. */
  commercial: z.boolean().optional(),
  shareAlike: z.boolean().optional(),
  /** Whose terms apply besides, such as OpenAI's on outputs of its models. */
  terms: z.array(word).max(20).default([]),
  /** Where the licence is stated. */
  stated: word.optional(),
})
const places = z.array(upstream).min(1).max(50)
const names = z.array(word).max(100)

/** A card. What is not known is absent, never guessed. */
export const cardSchema = z.strictObject({
  /** Of the package: `@ift/dataset-NAME`. */
  name: word,
  title: word,
  /** One sentence about the whole. */
  description: text,
  /** The datasets of the package; the first is the one that the package's name stands for. */
  datasets: z.record(
    word,
    z.strictObject({
      description: text,
      /** The description in Chinese. */
      zh: text.optional(),
      /** The dataset of the card that has these records too: a selection takes one of the two. */
      variantOf: word.optional(),
      /** Where it differs from that of the card. */
      tags: tagsSchema.optional(),
      size: count.optional(),
      /** Tokens of all records, by the tokenizer that counted them. */
      tokens: z
        .strictObject({ count: z.number().int().min(1), tokenizer: word, by: word.optional() })
        .optional(),
      /** `org/name` on the hub, where it is another than the first of `upstream`. */
      hub: word.optional(),
      /** Of a dataset of its own, which others published. */
      original: count.optional(),
      license: license.optional(),
      upstream: places.optional(),
      citation: text.optional(),
      /** Beside those of the card. */
      contains: names.default([]),
      evaluation: names.default([]),
      warnings: z.array(text).max(50).default([]),
    }),
  ),
  /** The original platform's tags: languages, number of tasks, how the data was made. */
  tags: tagsSchema,
  /** Forms of the examples. */
  kind: z.array(z.enum(['instruction', 'dialog', 'preference', 'table', 'exam'])).min(1),
  /** Records of the published set. */
  size: count.optional(),
  /** The number of the original platform's table, and what it counts. */
  original: count.optional(),
  license,
  upstream: places,
  /** Paper and authors. */
  citation: text.optional(),
  /** Other datasets that this one holds, whole or in part, as `name` or `name:part`. */
  contains: names.default([]),
  /** Whether it holds data that others evaluate on, and which. */
  evaluation: names.default([]),
  warnings: z.array(text).max(50).default([]),
  /** Paragraphs for the package's README, in Markdown. */
  notes: z.array(z.string().min(1).max(4000)).max(20).default([]),
  /** Year and month in which somebody compared the card with what is published. */
  checked: z
    .string()
    .regex(/^\d{4}-\d{2}$/)
    .optional(),
})

export type Card = z.output<typeof cardSchema>

/** What a card says of one of its datasets: its own facts, and those of the card where it has none. */
export interface DatasetFacts extends Pick<
  Card,
  'description' | 'tags' | 'license' | 'upstream' | 'citation' | 'size' | 'original'
> {
  /** The description in Chinese. */
  readonly zh?: string
  readonly hub?: string
  readonly tokens?: Card['datasets'][string]['tokens']
  readonly contains: readonly string[]
  readonly evaluation: readonly string[]
  readonly warnings: readonly string[]
}

/** Facts of a dataset that the card describes. Sizes of a card with several datasets are those of all of them together. */
export function datasetFacts(card: Card, name: string): DatasetFacts {
  const own = card.datasets[name]!
  const isAlone = Object.keys(card.datasets).length === 1
  const from = own.upstream ?? card.upstream
  const hub = own.hub ?? from.find((one) => one.hub !== undefined)?.hub
  const citation = own.citation ?? card.citation
  const [size, original] = (['size', 'original'] as const).map(
    (field) => own[field] ?? (isAlone ? card[field] : undefined),
  )
  return {
    description: own.description,
    tags: own.tags ?? card.tags,
    license: own.license ?? card.license,
    upstream: from,
    contains: [...card.contains, ...own.contains],
    evaluation: [...card.evaluation, ...own.evaluation],
    warnings: [...card.warnings, ...own.warnings],
    ...(own.zh !== undefined && { zh: own.zh }),
    ...(hub !== undefined && { hub }),
    ...(citation !== undefined && { citation }),
    ...(size && { size }),
    ...(original && { original }),
    ...(own.tokens && { tokens: own.tokens }),
  }
}

const invalid = (path: string, lines: readonly string[], cause?: unknown) =>
  new IftError(
    'IFT_PLUGIN_MANIFEST',
    `${path}: the card does not describe a dataset package:\n${lines.map((line) => `  - ${line}`).join('\n')}`,
    'The fields of card.json are described in docs/plugins.md.',
    { cause },
  )

/** Checks a card. Throws IFT_PLUGIN_MANIFEST that lists every fault by its field. */
export function checkCard(card: unknown, path: string): Card {
  const result = cardSchema.safeParse(card)
  if (!result.success) throw invalid(path, faults(result.error.issues, cardSchema, card, ''))
  const { datasets } = result.data
  const names = Object.keys(datasets)
  if (names.length === 0) throw invalid(path, ['datasets: expected at least one dataset, found none.'])
  const lines = Object.entries(datasets).flatMap(([name, { variantOf }]) =>
    variantOf === undefined || (variantOf !== name && names.includes(variantOf))
      ? []
      : [
          `datasets.${name}.variantOf: expected another dataset of the card (${names.join(', ')}), found ${variantOf}.`,
        ],
  )
  if (lines.length > 0) throw invalid(path, lines)
  return result.data
}

/** A card, or the file that holds one. Throws IFT_PLUGIN_MANIFEST where it cannot be read or is wrong. */
export function readCard(card: object): Card {
  if (!(card instanceof URL)) return checkCard(card, 'card.json')
  if (card.protocol !== 'file:') throw invalid(card.href, ['expected a file on this machine.'])
  const path = fileURLToPath(card)
  let json: ReturnType<typeof readPackageJson>
  try {
    json = readPackageJson(path)
  } catch (cause) {
    throw invalid(path, [reasonWithout(path, cause)], cause)
  }
  return checkCard(json, path)
}
