import { unsupported } from '../../files/errors.js'
import { blockFormats } from '../blocks/index.js'
import type { StoredDType } from '../numbers.js'

const types = new Map<number, StoredDType>([
  [0, 'F32'],
  [1, 'F16'],
  [24, 'I8'],
  [25, 'I16'],
  [26, 'I32'],
  [27, 'I64'],
  [28, 'F64'],
  [30, 'BF16'],
  ...Object.entries(blockFormats).map(([name, { type }]) => [type, name as StoredDType] as const),
])

const numbers = new Map([...types].map(([number, dtype]) => [dtype, number]))

/** The number of a type that files may have. */
export const typeNumber = (dtype: StoredDType): number => numbers.get(dtype)!

/** Types of ggml that are not read: those of three bits and less that need tables, those of products, those of other machines. */
const others: Readonly<Record<number, string>> = {
  4: 'Q4_2',
  5: 'Q4_3',
  9: 'Q8_1',
  16: 'IQ2_XXS',
  17: 'IQ2_XS',
  18: 'IQ3_XXS',
  19: 'IQ1_S',
  21: 'IQ3_S',
  22: 'IQ2_S',
  29: 'IQ1_M',
  31: 'Q4_0_4_4',
  32: 'Q4_0_4_8',
  33: 'Q4_0_8_8',
  34: 'TQ1_0',
  35: 'TQ2_0',
  36: 'IQ4_NL_4_4',
  37: 'IQ4_NL_4_8',
  38: 'IQ4_NL_8_8',
  39: 'MXFP4',
  40: 'NVFP4',
  41: 'Q1_0',
}

/** The type of a number in the description of a tensor; IFT_FILE_UNSUPPORTED, by its name, for one that is not read. */
export function typeOf(type: number, path: string, tensor: string): StoredDType {
  const found = types.get(type)
  if (found !== undefined) return found
  throw unsupported(
    path,
    `tensor ${tensor} has the type ${others[type] ?? `number ${type}`}; known are ${[...types.values()].join(', ')}`,
    'Use a file of the model with other weights: Q4_K_M and Q8_0 are published for nearly every model, F16 and BF16 lose nothing.',
  )
}
