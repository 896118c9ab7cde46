import { blockSize, IftError, type WrittenDType } from '@ift/core'

/** Types of a whole file by the names of the command line, with their numbers in `general.file_type` (llama.h). */
const fileTypes = {
  f32: { number: 0, matrix: 'F32' },
  f16: { number: 1, matrix: 'F16' },
  bf16: { number: 32, matrix: 'BF16' },
  q8_0: { number: 7, matrix: 'Q8_0' },
  q4_0: { number: 2, matrix: 'Q4_0' },
  q5_0: { number: 8, matrix: 'Q5_0' },
  q4_k_m: { number: 15, matrix: 'Q4_K' },
  q6_k: { number: 18, matrix: 'Q6_K' },
} as const satisfies Record<string, { readonly number: number; readonly matrix: WrittenDType }>

export type FileType = keyof typeof fileTypes

export const fileTypeNames = Object.keys(fileTypes) as readonly FileType[]

export const numberOf = (type: FileType): number => fileTypes[type].number

/** IFT_USAGE for a name that is none. */
export function fileType(name: string): FileType {
  if (name in fileTypes) return name as FileType
  throw new IftError(
    'IFT_USAGE',
    `--type: expected one of ${fileTypeNames.join(', ')}, found "${name}".`,
    '--type q8_0',
  )
}

export const isQuantized = (type: FileType): boolean => blockSize(fileTypes[type].matrix) > 1

/** What takes the place of a type whose blocks do not fit into rows, as in llama-quantize. */
const fallbacks: Partial<Record<WrittenDType, WrittenDType>> = { Q4_K: 'Q5_0', Q5_K: 'Q5_1', Q6_K: 'Q8_0' }

/** Layers that the mixture gives more bits: the first and the last eighth, and every third between. */
const isPrecise = (layer: number, layers: number): boolean => {
  const eighth = Math.floor(layers / 8)
  return layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2
}

/** A tensor of a file. */
export interface Typed {
  readonly name: string
  /** Outermost first. */
  readonly shape: readonly number[]
}

/** The type that llama-quantize gives a matrix, its rows aside. */
function wanted(
  { name }: Typed,
  type: FileType,
  { layers, tied }: { readonly layers: number; readonly tied: boolean },
): WrittenDType {
  const { matrix } = fileTypes[type]
  if (!isQuantized(type) || type === 'q8_0') return matrix
  // What the logits come from.
  if (name === (tied ? 'token_embd.weight' : 'output.weight')) return 'Q6_K'
  if (type !== 'q4_k_m') return matrix
  const [, layer, part] = /^blk\.(\d+)\.(attn_v|attn_qkv|ffn_down)\.weight$/.exec(name) ?? []
  if (part === 'attn_qkv') return 'Q5_K'
  return layer !== undefined && isPrecise(Number(layer), layers) ? 'Q6_K' : matrix
}

/**
 * The types of the tensors of a file: vectors stay f32, matrices have the type of the file or what its mixture says, and another where
 * their rows do not fall into its blocks.
 */
export function typesOf(
  tensors: readonly Typed[],
  type: FileType,
  layers: number,
): Map<string, { readonly dtype: WrittenDType; readonly instead: WrittenDType | null }> {
  const tied = !tensors.some(({ name }) => name === 'output.weight')
  return new Map(
    tensors.map((tensor) => {
      const { name, shape } = tensor
      if (shape.length < 2) return [name, { dtype: 'F32', instead: null }]
      const first = wanted(tensor, type, { layers, tied })
      const fits = (dtype: WrittenDType) => shape.at(-1)! % blockSize(dtype) === 0
      let dtype = first
      while (!fits(dtype)) dtype = fallbacks[dtype] ?? 'F16'
      return [name, { dtype, instead: dtype === first ? null : first }]
    }),
  )
}
