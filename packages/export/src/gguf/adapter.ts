import { basename, extname, join } from 'node:path'
import {
  encodeFloats,
  GgufNames,
  IftError,
  toGgufValues,
  writeGguf,
  type ExportContext,
  type ExportDefinition,
  type GgufTensorToWrite,
  type GgufValue,
} from '@ift/core'
import { loraFactors, type LoraFactors } from '../adapter/factors.js'
import { mappingOf } from './model.js'

type Adapted = Awaited<ReturnType<ExportContext['adapted']>>

const wayOut = 'Fold it into the model: npx ift export gguf FILE.gguf'

/** The tensors of one module: those of the file's names share A. */
function tensorsOf(
  factors: LoraFactors,
  place: NonNullable<ReturnType<GgufNames['namesOf']>>,
  alpha: number,
): GgufTensorToWrite[] {
  const { r, input, out, scale } = factors
  const { module, names } = place
  // llama.cpp scales by alpha / r, and a file has one alpha.
  const factor = (scale * r) / alpha
  const counts = module.rows?.counts ?? [out]
  return names.flatMap((name, part) => [
    {
      name: `${name}.lora_a`,
      dtype: 'F32',
      shape: [r, input],
      async *bytes() {
        yield encodeFloats((await factors.read()).a, 'F32')
      },
    },
    {
      name: `${name}.lora_b`,
      dtype: 'F32',
      shape: [counts[part]!, r],
      async *bytes() {
        const { b } = await factors.read()
        const rows = toGgufValues(module, b, out)[part]!
        yield encodeFloats(factor === 1 ? rows : rows.map((value) => value * factor), 'F32')
      },
    },
  ])
}

/** Writes the adapter of a model, for the base as llama.cpp reads it. */
export async function writeAdapterFile(path: string, open: Adapted): Promise<void> {
  const { description, modules } = mappingOf(open)
  const factors = loraFactors(await open.peft.save(), 'A GGUF adapter', wayOut)
  const names = new GgufNames(modules)
  const parameters = new Set(
    [...open.model.namedParameters()].map(([name]) => name.replace('.base_layer.', '.')),
  )
  const [first] = factors
  if (!first) throw new IftError('IFT_EXPORT_UNSUPPORTED', 'The adapter adapts no layer.', wayOut)
  const alpha = first.scale * first.r
  const tensors = factors.flatMap((one) => {
    const place = names.namesOf(`${one.path}.weight`)
    if (place === null || place.module.unit === true || !parameters.has(`${one.path}.weight`))
      throw new IftError(
        'IFT_EXPORT_UNSUPPORTED',
        `The adapter adapts ${one.path}, which a GGUF file of this model has no matrix of its own for.`,
        wayOut,
      )
    return tensorsOf(one, place, alpha)
  })
  const base = basename(open.name.replace(/@[^/@]*$/, ''))
  const metadata = new Map<string, GgufValue>([
    ['general.architecture', description.architecture],
    ['general.type', 'adapter'],
    ['general.name', basename(open.adapterDir)],
    ['general.base_model.count', { u32: 1 }],
    ['general.base_model.0.name', base],
    ['adapter.type', 'lora'],
    ['adapter.lora.alpha', { f32: alpha }],
  ])
  await writeGguf(path, metadata, tensors)
}

/** An adapter of LoRA as a GGUF file. */
export const ggufAdapter: ExportDefinition = {
  name: 'gguf-adapter',
  description: 'An adapter of LoRA as a GGUF file, for the base beside it.',
  async run(context) {
    const { out } = context
    const open = await context.adapted()
    const path =
      extname(out).toLowerCase() === '.gguf' ? out : join(out, `${basename(open.adapterDir)}-lora.gguf`)
    await context.claim(path)
    await writeAdapterFile(path, open)
    return { written: [path], next: `llama-server -m BASE.gguf --lora ${path}` }
  },
}
