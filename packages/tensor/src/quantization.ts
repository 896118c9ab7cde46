import { IftError } from './errors.js'

/**
 * How the weights of a quantised matrix are held. `nf4`: 4-bit NormalFloat with double quantisation (Dettmers et al.
 * 2023, arXiv:2305.14314), 4.127 bits a weight. `int8`: whole numbers of a row's largest magnitude (Dettmers et al. 2022,
 * arXiv:2208.07339, without its outlier columns), 8 bits.
 */
export type QuantFormat = 'nf4' | 'int8'

export const quantFormats: readonly QuantFormat[] = ['nf4', 'int8']

/** Blocks of GGUF files that a device may multiply as they lie: values and bytes of a block, and the number of the type in files. */
export const blockSizes = {
  Q4_0: { type: 2, size: 32, bytes: 18 },
  Q4_1: { type: 3, size: 32, bytes: 20 },
  Q5_0: { type: 6, size: 32, bytes: 22 },
  Q5_1: { type: 7, size: 32, bytes: 24 },
  Q8_0: { type: 8, size: 32, bytes: 34 },
  Q4_K: { type: 12, size: 256, bytes: 144 },
  Q5_K: { type: 13, size: 256, bytes: 176 },
  Q6_K: { type: 14, size: 256, bytes: 210 },
  IQ4_NL: { type: 20, size: 32, bytes: 18 },
} as const

/** A type of blocks, by ggml's name. Weights are never quantised to it: they come in it. */
export type BlockFormat = keyof typeof blockSizes

/** How a quantised matrix is held. */
export type WeightFormat = QuantFormat | BlockFormat

export const isBlockFormat = (format: string): format is BlockFormat => Object.hasOwn(blockSizes, format)

/** Weights that share a scale in nf4, and scales that share a group's. */
export const nf4Block = 64
export const nf4Group = 256

/** Values of k that share a scale in a row of x, where products over an int8 matrix are computed in int8. */
export const int8Block = 64

/** The 16 levels of NF4 as f32: quantiles of a normal distribution, 0 and ±1 among them. */
export const nf4Levels: Float32Array = Float32Array.from([
  -1, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.091050036, 0, 0.0795803, 0.1609302,
  0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1,
])

/**
 * The 256 levels of an 8-bit scale, ascending: 0, 1, and both signs of 127 magnitudes, 2^e of them between 10^(e-7) and
 * 10^(e-6) for e = 0 … 6 (the dynamic map of Dettmers et al. 2022, arXiv:2110.02861). The magnitudes are those that
 * bitsandbytes has, rounding included.
 */
export const dynamicLevels: Float32Array = withSigns([
  5.5000004e-7, 3.2500002e-6, 0.00000775, 2.1249998e-5, 0.00004375, 0.00006625, 0.00008875, 1.5625001e-4,
  2.6875004e-4, 3.8125002e-4, 4.9375003e-4, 6.062501e-4, 7.1875006e-4, 0.00083125, 9.437501e-4, 1.2812499e-3,
  0.00184375, 0.00240625, 0.00296875, 3.5312497e-3, 0.00409375, 4.6562497e-3, 5.2187503e-3, 0.00578125,
  0.00634375, 0.00690625, 0.00746875, 0.00803125, 0.00859375, 0.009156249, 0.00971875, 0.01140625, 0.01421875,
  0.01703125, 0.019843752, 0.02265625, 0.02546875, 0.028281251, 0.03109375, 0.03390625, 0.036718752,
  0.03953125, 0.042343747, 0.04515625, 0.04796875, 0.05078125, 0.05359375, 0.05640625, 0.059218753,
  0.06203125, 0.06484375, 0.067656256, 0.070468746, 0.07328125, 0.07609375, 0.07890625, 0.08171876,
  0.08453125, 0.08734375, 0.09015625, 0.092968754, 0.09578126, 0.09859375, 0.107031256, 0.12109375,
  0.13515624, 0.14921875, 0.16328125, 0.17734376, 0.19140625, 0.20546874, 0.21953125, 0.23359375, 0.24765624,
  0.26171875, 0.27578127, 0.28984374, 0.30390626, 0.31796873, 0.33203125, 0.34609374, 0.36015624, 0.37421876,
  0.38828123, 0.40234375, 0.41640624, 0.43046874, 0.44453126, 0.45859373, 0.47265625, 0.4867187, 0.50078124,
  0.5148437, 0.5289062, 0.54296875, 0.5570313, 0.5710938, 0.58515626, 0.5992187, 0.61328125, 0.6273438,
  0.6414063, 0.65546876, 0.6695312, 0.68359375, 0.6976563, 0.7117188, 0.72578126, 0.7398437, 0.75390625,
  0.7679688, 0.78203124, 0.79609376, 0.8101562, 0.82421875, 0.8382813, 0.85234374, 0.86640626, 0.8804687,
  0.89453125, 0.9085938, 0.92265624, 0.93671876, 0.9507812, 0.96484375, 0.9789063, 0.99296874,
])

function withSigns(magnitudes: readonly number[]): Float32Array {
  return Float32Array.from([...magnitudes.map((m) => -m).toReversed(), 0, ...magnitudes, 1])
}

/**
 * Between levels i and i + 1, rounded to f32: a value is coded as the number of these that lie below it, which is the
 * nearest level, and of two equally near ones the lower.
 */
export const midpointsOf = (levels: Float32Array): Float32Array =>
  Float32Array.from({ length: levels.length - 1 }, (_, i) => Math.fround(levels[i]! + levels[i + 1]!) / 2)

/** Elements in the buffers of a `QuantizedMatrix`: codes and the scales of nf4 in bytes, the rest in f32; 0 where the format has none. */
export interface QuantizedSizes {
  readonly codes: number
  readonly scales: number
  readonly groups: number
  /** Of all three. */
  readonly bytes: number
}

/** Sizes of a quantised matrix [rows, cols]. */
export function quantizedSizes(format: WeightFormat, rows: number, cols: number): QuantizedSizes {
  const n = rows * cols
  if (!Number.isSafeInteger(n) || rows < 0 || cols < 0) {
    throw new IftError(
      'IFT_ARGUMENT',
      `a quantised matrix expected rows and columns, found [${rows}, ${cols}]`,
    )
  }
  if (isBlockFormat(format)) {
    const { size, bytes } = blockSizes[format]
    if (cols % size !== 0)
      throw new IftError(
        'IFT_ARGUMENT',
        `a matrix of ${format} expected rows of whole blocks of ${size}, found [${rows}, ${cols}]`,
      )
    const codes = (n / size) * bytes
    return { codes, scales: 0, groups: 0, bytes: codes }
  }
  if (format === 'int8') return { codes: n, scales: rows, groups: 0, bytes: n + rows * 4 }
  const codes = Math.ceil(n / 2)
  const scales = Math.ceil(n / nf4Block)
  const groups = 1 + Math.ceil(scales / nf4Group)
  return { codes, scales, groups, bytes: codes + scales + groups * 4 }
}
