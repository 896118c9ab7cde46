import { readFileSync, statSync } from 'node:fs'
import { IftError } from '@ift/tensor'
import { describesPackage } from '../config/load.js'
import * as z from '../config/options.js'
import { faults } from '../config/validate.js'

// The field "ift" of a plugin's package.json: what the package provides, for everybody who has not loaded it.

/** Bytes of a package.json that is read. */
const maxBytes = 2 ** 20

const word = z.string().min(1).max(200)
const words = z.array(word).max(1000)
const named = <S extends z.ZodType>(facts: S) => z.record(word, facts).default({})

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
      tags: z
        .strictObject({
          lang: z.array(z.enum(['EN', 'CN', 'ML'])),
          task: z.array(z.enum(['MT', 'TS'])),
          gen: z.array(z.enum(['HG', 'SI', 'MIX', 'COL'])),
        })
        .optional(),
      size: z.strictObject({ count: z.number().int().min(0), unit: word }).optional(),
    }),
  ),
  optimizer: words.default([]),
  template: words.default([]),
  tokenizer: words.default([]),
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

/** Reads a package.json, and throws IFT_PLUGIN_MANIFEST where it cannot be read or its field "ift" is wrong. */
export function readManifest(path: string): PackageManifest {
  let json: unknown
  try {
    const { size } = statSync(path)
    if (size > maxBytes) throw new Error(`${size} bytes, at most ${maxBytes} are read`)
    json = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw invalid(path, [cause instanceof Error ? cause.message : String(cause)], cause)
  }
  const { version, ift } = Object(json) as Record<string, unknown>
  return {
    version: typeof version === 'string' ? version : '',
    provides: describesPackage(ift) ? readProvides(ift, path) : null,
  }
}
