import { basename, extname, join } from 'node:path'
import {
  encodeFloats,
  ggufTensors,
  IftError,
  writeGguf,
  type ExportContext,
  type ExportDefinition,
  type Exported,
  type ExportedModel,
  type GgufDescription,
  type GgufModule,
  type GgufTensorToWrite,
} from '@ift/core'
import { fileType, isQuantized, typesOf, type FileType } from './file-types.js'
import { metadataOf } from './metadata.js'

/** How the family's files are; IFT_EXPORT_UNSUPPORTED for one that llama.cpp has no graph for. */
export function mappingOf({ definition, json }: Pick<ExportedModel, 'definition' | 'json'>): {
  readonly modules: readonly GgufModule[]
  readonly description: GgufDescription
} {
  const { gguf } = definition
  if (gguf?.describe) return { description: gguf.describe(json), modules: gguf.modules(json) }
  throw new IftError(
    'IFT_EXPORT_UNSUPPORTED',
    `llama.cpp computes no model of the family "${definition.name}", so that a GGUF file of it could not be run.`,
    'Write it for other programs (npx ift export hf DIR), or answer with it: npx ift serve',
  )
}

async function* encoded(pieces: AsyncIterable<Float32Array>, dtype: Parameters<typeof encodeFloats>[1]) {
  for await (const piece of pieces) yield encodeFloats(piece, dtype)
}

/** Writes a model as a GGUF file. */
export async function writeModel(
  path: string,
  open: ExportedModel,
  type: FileType,
  { options, note }: Pick<ExportContext, 'options' | 'note'>,
): Promise<void> {
  const { description, modules } = mappingOf(open)
  const tables = Object.entries(description.tables ?? {}).map(([name, values]): GgufTensorToWrite => ({
    name,
    dtype: 'F32',
    shape: [values.length],
    async *bytes() {
      yield await Promise.resolve(encodeFloats(values, 'F32'))
    },
  }))
  const tensors = ggufTensors(open.model, modules)
  if (description.tiedHead && tensors.some(({ name }) => name === 'output.weight'))
    throw new IftError(
      'IFT_EXPORT_UNSUPPORTED',
      'The head of the model has got a matrix of its own, and llama.cpp multiplies by the embedding.',
      'Write it for other programs (npx ift export hf DIR), or answer with it: npx ift serve',
    )
  const types = typesOf(tensors, type, open.shape.layers)
  const replaced = new Map<string, string[]>()
  const written = tensors.map((tensor): GgufTensorToWrite => {
    const { name, shape } = tensor
    const { dtype, instead } = types.get(name)!
    if (instead !== null) {
      const what = `${dtype} in place of ${instead}`
      replaced.set(what, [...(replaced.get(what) ?? []), name])
    }
    return { name, shape, dtype, bytes: () => encoded(tensor.values(), dtype) }
  })
  await writeGguf(path, metadataOf(open, description, type, options.pre), [...tables, ...written])
  for (const [what, names] of replaced)
    note(
      `${what}, as its blocks do not fit into rows: ${names.slice(0, 4).join(', ')}${names.length > 4 ? ` and ${names.length - 4} more` : ''}`,
    )
}

/** The file that an operand means: itself, or one in the folder that it is. */
export function ggufPath(out: string, open: ExportedModel, type: string): string {
  const extension = extname(out).toLowerCase()
  if (extension === '.gguf') return out
  if (/\.(safetensors|bin|json|pth)$/.test(extension))
    throw new IftError(
      'IFT_USAGE',
      `${out}: a GGUF file ends in .gguf.`,
      `npx ift export gguf ${out.slice(0, -extension.length)}.gguf`,
    )
  return join(
    out,
    `${basename(open.name.replace(/@[^/@]*$/, '')).replace(/\.gguf$/i, '')}-${type.toUpperCase()}.gguf`,
  )
}

/** Parts of the largest logit; null where values are too coarse for one. */
const tolerance = (type: FileType) =>
  isQuantized(type) ? null : { f32: 1e-4, f16: 1e-2, bf16: 5e-2 }[type as 'f32' | 'f16' | 'bf16']

/** A model as a GGUF file. */
export const gguf: ExportDefinition = {
  name: 'gguf',
  description: 'A model as a GGUF file, for llama.cpp and what is built on it.',
  async run(context): Promise<Exported> {
    const type = fileType(context.options.type ?? 'f16')
    const open = await context.merged()
    const path = ggufPath(context.out, open, type)
    await context.claim(path)
    await writeModel(path, open, type, context)
    return {
      written: [path],
      readBack: { weights: path },
      tolerance: tolerance(type),
      next: `llama-server -m ${path}`,
    }
  },
}
