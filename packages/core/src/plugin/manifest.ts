import { IftError } from '@ift/tensor'
import { describesPackage } from '../config/load.js'
import * as z from '../config/options.js'
import { faults } from '../config/validate.js'
import { mostPackageJsonBytes } from '../files/bounds.js'
import { jsonObject, readJsonSync } from '../files/read-json.js'

// The field "ift" of a plugin's package.json: what the package provides, for everybody who has not loaded it.

const word = z.string().min(1).max(200)
const words = z.array(word).max(1000)
const named = <S extends z.ZodType>(facts: S) => z.record(word, facts).default({})

/** The original platform's tags of a dataset: languages, number of tasks, how the data was made. */
export const tagsSchema = z.strictObject({
  lang: z.array(z.enum(['EN', 'CN', 'ML'])),
  task: z.array(z.enum(['MT', 'TS'])),
  gen: z.array(z.enum(['HG', 'SI', 'MIX', 'COL'])),
})

/** Nouns with the names of what a package provides; a name carries what must be known of it before it is loaded. */
export const providesSchema = z.strictObject({
  model: named(
    z.strictObject({
      /** `architectures` and `model_type` of config.json, and `general.architecture` of GGUF files. */
      architectures: words.default([]),
      modelTypes: words.default([]),
      gguf: words.default([]),
    }),
  ),
  peft: named(
    z.strictObject({
      /** `peft_type` of adapter_config.json. */
      peftTypes: words.default([]),
    }),
  ),
  dataset: named(
    z.strictObject({
      description: z.string().max(1000).optional(),
      license: word.optional(),
      tags: tagsSchema.optional(),
      size: z.strictObject({ count: z.number().int().min(0), unit: word }).optional(),
    }),
  ),
  optimizer: words.default([]),
  template: words.default([]),
  tokenizer: words.default([]),
  constraint: words.default([]),
  export: named(z.strictObject({ description: z.string().max(1000) })),
  task: named(z.strictObject({ description: z.string().max(1000) })),
  backend: named(
    z.strictObject({
      /** `device: auto` tries the highest first, and none without it. */
      preference: z.number().optional(),
    }),
  ),
  verb: named(z.strictObject({ description: z.string().max(1000) })),
})

/** Everything that a package provides. */
export type Provides = z.output<typeof providesSchema>

/** What definitions are registered as, and what names in a config and on the command line stand for. */
export type Noun = keyof Provides

export const nouns = Object.keys(providesSchema.shape) as readonly Noun[]

/** A package that provides nothing. */
export const nothing: Provides = providesSchema.parse({})

/** Names that a package provides under a noun. */
export const namesOf = (provides: Provides, noun: Noun): readonly string[] => {
  const entries = provides[noun]
  return Array.isArray(entries) ? entries : Object.keys(entries)
}

/** What of a package.json matters here. */
export interface PackageManifest {
  readonly version: string
  /** Null for a package that does not describe itself. */
  readonly provides: Provides | null
}

const invalid = (path: string, lines: readonly string[], cause?: unknown) =>
  new IftError(
    'IFT_PLUGIN_MANIFEST',
    `${path}: the package does not describe itself as ift reads it:\n${lines.map((line) => `  - ${line}`).join('\n')}`,
    'The field "ift" of package.json is described in docs/plugins.md.',
    { cause },
  )

/** Checks a field "ift" of the file `path`. Throws IFT_PLUGIN_MANIFEST that lists every fault by its field. */
export function readProvides(field: { readonly provides: unknown }, path: string): Provides {
  const result = providesSchema.safeParse(field.provides)
  if (result.success) return result.data
  throw invalid(path, faults(result.error.issues, providesSchema, field.provides, 'ift.provides'))
}

/** Why a file could not be read, for a message that has said its path. */
export function reasonWithout(path: string, cause: unknown): string {
  const { message } = cause as IftError
  return message.startsWith(path) ? message.slice(path.length).replace(/^:? /, '') : message
}

/** The fields of a package.json, or of a card.json. Throws IFT_FILE_CORRUPT for one that is no file, too long, or no object in JSON. */
export const readPackageJson = (path: string): Readonly<Record<string, unknown>> =>
  readJsonSync(path, jsonObject, { most: mostPackageJsonBytes })

/** Reads a package.json, and throws IFT_PLUGIN_MANIFEST where it cannot be read or its field "ift" is wrong. */
export function readManifest(path: string): PackageManifest {
  let json: ReturnType<typeof readPackageJson>
  try {
    json = readPackageJson(path)
  } catch (cause) {
    throw invalid(path, [reasonWithout(path, cause)], cause)
  }
  const { version, ift } = json
  return {
    version: typeof version === 'string' ? version : '',
    provides: describesPackage(ift) ? readProvides(ift, path) : null,
  }
}
