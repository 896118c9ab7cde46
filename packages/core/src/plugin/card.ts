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
      /** Where it differs from that of the card. */
      tags: tagsSchema.optional(),
      size: count.optional(),
      /** `org/name` on the hub, where it is another than the first of `upstream`. */
      hub: word.optional(),
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
  license: z.strictObject({
    /** SPDX identifier, or the licence's name. */
    id: word,
    /** Whether commercial use is allowed; absent when nobody says. */
    commercial: z.boolean().optional(),
    shareAlike: z.boolean().optional(),
    /** Whose terms apply besides, such as OpenAI's on outputs of its models. */
    terms: z.array(word).max(20).default([]),
    /** Where the licence is stated. */
    stated: word.optional(),
  }),
  upstream: z.array(upstream).min(1).max(50),
  /** Paper and authors. */
  citation: text.optional(),
  /** Other datasets that this one holds, whole or in part, as `name` or `name:part`. */
  contains: z.array(word).max(100).default([]),
  /** Whether it holds data that others evaluate on, and which. */
  evaluation: z.array(word).max(100).default([]),
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
  if (result.success && Object.keys(result.data.datasets).length > 0) return result.data
  throw invalid(
    path,
    result.success
      ? ['datasets: expected at least one dataset, found none.']
      : faults(result.error.issues, cardSchema, card, ''),
  )
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
