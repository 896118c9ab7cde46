import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  encodeFloats,
  ggufTensors,
  IftError,
  writeFileAtomic,
  writeTorch,
  type ExportDefinition,
  type ExportedModel,
  type TorchTensorToWrite,
} from '@ift/core'
import { mappingOf } from './gguf/model.js'

const wayOut = 'Export it in a layout that holds it: npx ift export hf DIR'

/** Names of Meta's files by those of GGUF, whose rows are in the same order. */
const names: Readonly<Record<string, string>> = {
  token_embd: 'tok_embeddings',
  output_norm: 'norm',
  output: 'output',
  attn_norm: 'attention_norm',
  attn_q: 'attention.wq',
  attn_k: 'attention.wk',
  attn_v: 'attention.wv',
  attn_output: 'attention.wo',
  ffn_norm: 'ffn_norm',
  ffn_gate: 'feed_forward.w1',
  ffn_up: 'feed_forward.w3',
  ffn_down: 'feed_forward.w2',
}

function metaName(name: string): string {
  const [, layer, part] = /^(?:blk\.(\d+)\.)?([a-z_]+)\.weight$/.exec(name) ?? []
  const own = part === undefined ? undefined : names[part]
  if (own === undefined)
    throw new IftError('IFT_EXPORT_UNSUPPORTED', `Meta's layout has no place for ${name}.`, wayOut)
  return `${layer === undefined ? '' : `layers.${layer}.`}${own}.weight`
}

/** What Meta's code makes of the width of a model: two thirds of four times it, times a factor, rounded up. */
export const widthOf = (dim: number, multipleOf: number, multiplier?: number): number => {
  const plain = Math.trunc((2 * 4 * dim) / 3)
  const scaled = multiplier === undefined ? plain : Math.trunc(multiplier * plain)
  return multipleOf * Math.ceil(scaled / multipleOf)
}

/** Fields that give a feed-forward of this width. */
export function feedForward(dim: number, width: number): Record<string, number> {
  const sizes = [256, 1024, 4096, 512, 128, 64, 32, 16, 8, 4, 2, 1]
  const plain = sizes.find((size) => widthOf(dim, size) === width)
  if (plain !== undefined) return { multiple_of: plain }
  for (const size of [4096, 1024, 512, ...sizes])
    for (const multiplier of [
      1.3,
      1.5,
      1.4,
      1.2,
      1.1,
      Math.round((1000 * width * 3) / (8 * dim)) / 1000,
      (width * 3) / (8 * dim),
    ])
      if (widthOf(dim, size, multiplier) === width)
        return { multiple_of: size, ffn_dim_multiplier: multiplier }
  throw new IftError(
    'IFT_EXPORT_UNSUPPORTED',
    `Meta's layout has no numbers for a feed-forward of ${width}.`,
    wayOut,
  )
}

/** params.json. */
function paramsOf({ json, shape, definition }: ExportedModel): Record<string, unknown> {
  if (definition.name !== 'llama')
    throw new IftError(
      'IFT_EXPORT_UNSUPPORTED',
      `Meta's layout is of LLaMA, and this is ${definition.name}.`,
      wayOut,
    )
  if (shape.headDim * shape.heads !== shape.hidden)
    throw new IftError('IFT_EXPORT_UNSUPPORTED', `Meta's layout knows no heads of ${shape.headDim}.`, wayOut)
  const rope = (json['rope_scaling'] ?? json['rope_parameters'] ?? {}) as Readonly<Record<string, unknown>>
  const kind = rope['rope_type'] ?? rope['type'] ?? 'default'
  const scaled =
    kind === 'llama3' &&
    rope['factor'] === 8 &&
    rope['low_freq_factor'] === 1 &&
    rope['high_freq_factor'] === 4 &&
    rope['original_max_position_embeddings'] === 8192
  if (kind !== 'default' && !scaled)
    throw new IftError(
      'IFT_EXPORT_UNSUPPORTED',
      `Meta's code has its own numbers for longer contexts, and not these (${JSON.stringify(kind)}).`,
      wayOut,
    )
  return {
    dim: shape.hidden,
    n_layers: shape.layers,
    n_heads: shape.heads,
    ...(shape.kvHeads === shape.heads ? {} : { n_kv_heads: shape.kvHeads }),
    vocab_size: shape.vocab,
    ...feedForward(shape.hidden, shape.intermediate),
    norm_eps: json['rms_norm_eps'] ?? 1e-6,
    rope_theta: json['rope_theta'] ?? rope['rope_theta'] ?? 10000,
    ...(scaled ? { use_scaled_rope: true } : {}),
  }
}

/** A LLaMA as Meta published it. */
export const meta: ExportDefinition = {
  name: 'meta',
  description: "A LLaMA in Meta's own layout.",
  async run(context) {
    const { out, options } = context
    const open = await context.merged()
    const params = paramsOf(open)
    const type = options.type ?? 'bf16'
    if (type !== 'f32' && type !== 'f16' && type !== 'bf16')
      throw new IftError('IFT_USAGE', `--type: expected f32, f16 or bf16, found "${type}".`, '--type bf16')
    const dtype = ({ f32: 'F32', f16: 'F16', bf16: 'BF16' } as const)[type]
    const tensors = ggufTensors(open.model, mappingOf(open).modules).map((tensor): TorchTensorToWrite => ({
      name: metaName(tensor.name),
      dtype,
      shape: tensor.shape,
      async *bytes() {
        for await (const piece of tensor.values()) yield encodeFloats(piece, dtype)
      },
    }))
    const table = tensors.find(({ name }) => name === 'tok_embeddings.weight')!
    if (!tensors.some(({ name }) => name === 'output.weight'))
      tensors.push({ ...table, name: 'output.weight' })
    const path = join(out, 'consolidated.00.pth')
    await context.claim(path)
    await mkdir(out, { recursive: true })
    await writeTorch(path, tensors)
    await writeFileAtomic(join(out, 'params.json'), `${JSON.stringify(params, null, 2)}\n`)
    await open.tokenizer.save(join(out, 'tokenizer'))
    return { written: [path, join(out, 'params.json')] }
  },
}
