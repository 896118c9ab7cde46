import {
  IftError,
  type AdapterValues,
  type CombineOptions,
  type Combination,
  type WeightedAdapter,
} from '@ift/core'
import { modulePrefix, patternTable } from '@ift/core/peft'
import type { LoraOptions } from './options.js'
import { orthonormalize, singularValues } from './svd.js'

/** Ends of the names of A and B. */
const ends = [
  ['lora_A.weight', 'lora_B.weight'],
  ['lora_embedding_A', 'lora_embedding_B'],
] as const

/** B A of one layer, row-major. */
interface Factors {
  /** [r, in] */
  readonly a: Float32Array
  /** [out, r] */
  readonly b: Float32Array
  readonly r: number
}

/** The update of one adapter at one layer. */
interface Term extends Factors {
  readonly adapter: string
  /** Of the adapter's own scale. */
  readonly weight: number
  readonly scale: number
}

interface Layer {
  /** Names of A and B. */
  readonly names: readonly [a: string, b: string]
  readonly input: number
  readonly out: number
  readonly terms: Term[]
}

interface Opened {
  readonly adapter: WeightedAdapter
  readonly options: LoraOptions
}

/**
 * The sum of adapters as one adapter, with the numbers of PEFT 0.21's add_weighted_adapter: alpha is the rank, so the scale is 1, and
 * layers of a smaller rank are filled up with zeros. Where PEFT takes `use_rslora` and the choice of layers from the first adapter, which
 * changes what the others compute, the result says its own.
 */
export async function combineLora(
  adapters: readonly WeightedAdapter[],
  { combination, rank }: CombineOptions,
  read: (config: Readonly<Record<string, unknown>>) => LoraOptions,
): Promise<AdapterValues> {
  const opened = adapters.map((adapter): Opened => ({ adapter, options: read(adapter.source.config) }))
  const ranks = opened.map(({ options }) => Math.max(options.r, ...Object.values(options.rankPattern)))
  const layers = new Map<string, Layer>()
  for (const one of opened) await addTerms(layers, one)
  const r = rankOf(combination, opened, ranks, rank)
  const tensors: [string, { shape: readonly number[]; values: Float32Array }][] = []
  for (const [path, { names, input, out, terms }] of layers) {
    const sum = sums[combination](terms, { path, input, out, r })
    tensors.push([names[0], { shape: [r, input], values: rows(sum, r, input) }])
    tensors.push([names[1], { shape: [out, r], values: columns(sum, r, out) }])
  }
  const config = {
    ...adapters[0]!.source.config,
    ...{ r, lora_alpha: r, rank_pattern: {}, alpha_pattern: {}, use_rslora: false, init_lora_weights: true },
    ...{ target_modules: targetsOf(opened, layers.keys()), exclude_modules: null },
    ...{ layers_to_transform: null, layers_pattern: null },
  }
  return { config, tensors: new Map(tensors) }
}

/** Reads what an adapter does at each of its layers. Throws for what is no sum of products. */
async function addTerms(layers: Map<string, Layer>, { adapter, options }: Opened): Promise<void> {
  const { name, source, weight } = adapter
  const refuse = (what: string) =>
    new IftError(
      'IFT_ADAPTER_COMBINE',
      `${source.path}: adapter "${name}" ${what}.`,
      'Leave it out of the sum.',
    )
  if (options.dora) throw refuse('has DoRA: its update is no product that could be added to others')
  if (options.init === 'pissa') throw refuse('started from PiSSA: it belongs to changed base weights')
  const rankAt = patternTable(options.rankPattern, options.r)
  const alphaAt = patternTable(options.alphaPattern, options.alpha)
  for (const tensor of source.names()) {
    // Weights of the base that PEFT writes beside an adapted embedding.
    if (tensor.endsWith('.base_layer.weight')) continue
    const kind = ends.find((pair) => pair.some((end) => tensor.endsWith(`.${end}`)))
    if (!kind || !tensor.startsWith(modulePrefix))
      throw refuse(`has "${tensor}", which is trained whole and cannot be added to others`)
    if (!tensor.endsWith(`.${kind[0]}`)) continue
    const path = tensor.slice(modulePrefix.length, -kind[0].length - 1)
    const names = [tensor, `${modulePrefix}${path}.${kind[1]}`] as const
    const [r, input] = source.shape(names[0]) as [number, number]
    const [out, inner] = source.shape(names[1]) as [number, number]
    if (r !== inner || r !== rankAt(path))
      throw refuse(`has rank ${r} at "${path}", and its config says ${rankAt(path)}`)
    const layer = layers.get(path) ?? { names, input, out, terms: [] }
    if (layer.input !== input || layer.out !== out)
      throw refuse(`adapts "${path}" as [${out}, ${input}], and others as [${layer.out}, ${layer.input}]`)
    const scale = alphaAt(path) / (options.rslora ? Math.sqrt(r) : r)
    layer.terms.push({
      adapter: name,
      a: await source.read(names[0]),
      b: await source.read(names[1]),
      r,
      weight,
      scale,
    })
    layers.set(path, layer)
  }
}

function rankOf(
  combination: Combination,
  opened: readonly Opened[],
  ranks: readonly number[],
  asked: number | undefined,
): number {
  const most = Math.max(...ranks)
  if (combination === 'cat') return ranks.reduce((sum, r) => sum + r, 0)
  if (combination === 'svd') return asked ?? most
  const other = ranks.findIndex((r) => r !== most)
  if (other >= 0)
    throw unequal(`${opened[other]!.adapter.name} has rank ${ranks[other]}, another one ${most}`)
  return most
}

const unequal = (found: string) =>
  new IftError(
    'IFT_ADAPTER_COMBINE',
    `linear adds up A and B, for which all ranks have to be equal: ${found}.`,
    'Take cat, whose result is exact, or svd.',
  )

interface Size {
  readonly path: string
  readonly input: number
  readonly out: number
  /** Of the result. */
  readonly r: number
}

const sums: Readonly<Record<Combination, (terms: readonly Term[], size: Size) => Factors>> = {
  /** √|w| of each weight goes to both factors, its sign to A. Products of different adapters come in, as in PEFT. */
  linear(terms, { path }) {
    const { r } = terms[0]!
    const other = terms.find((term) => term.r !== r)
    if (other) throw unequal(`at "${path}" ${other.adapter} has ${other.r}, another one ${r}`)
    const a = new Float32Array(terms[0]!.a.length)
    const b = new Float32Array(terms[0]!.b.length)
    for (const { weight, scale, ...term } of terms) {
      const root = Math.fround(Math.sqrt(Math.abs(weight * scale)))
      const signed = weight * scale < 0 ? -root : root
      for (let i = 0; i < a.length; i++) a[i] = a[i]! + Math.fround(signed * term.a[i]!)
      for (let i = 0; i < b.length; i++) b[i] = b[i]! + Math.fround(root * term.b[i]!)
    }
    return { a, b, r }
  },
  cat: (terms, size) => stacked(terms, size),
  svd: (terms, size) => strongest(stacked(terms, size), size),
}

/** [B1 B2 …] and [w1 A1; w2 A2; …], whose product is the sum. */
function stacked(terms: readonly Term[], { input, out }: Pick<Size, 'input' | 'out'>): Factors {
  const r = terms.reduce((sum, term) => sum + term.r, 0)
  const a = new Float32Array(r * input)
  const b = new Float32Array(out * r)
  let at = 0
  for (const { weight, scale, ...term } of terms) {
    const [w, s] = [Math.fround(weight), Math.fround(scale)]
    for (let i = 0; i < term.a.length; i++) a[at * input + i] = Math.fround(term.a[i]! * w) * s
    for (let i = 0; i < out; i++) b.set(term.b.subarray(i * term.r, (i + 1) * term.r), i * r + at)
    at += term.r
  }
  return { a, b, r }
}

/**
 * The r strongest components of B A: B = U S, A = Vᵀ, as PEFT writes them. With Q of the columns of B, B A = Q (Qᵀ B A), and of the
 * small matrix in brackets the singular vectors are found.
 */
function strongest({ a, b, r: wide }: Factors, { input, out, r }: Size): Factors {
  const q = orthonormalize(Float64Array.from(b), out, wide)
  const core = new Float64Array(wide * wide)
  for (let i = 0; i < out; i++)
    for (let p = 0; p < wide; p++)
      for (let c = 0; c < wide; c++) core[p * wide + c]! += q[i * wide + p]! * b[i * wide + c]!
  // (Qᵀ B A)ᵀ [in, wide]
  const right = new Float64Array(input * wide)
  for (let c = 0; c < wide; c++)
    for (let j = 0; j < input; j++) {
      const value = a[c * input + j]!
      if (value !== 0) for (let p = 0; p < wide; p++) right[j * wide + p]! += core[p * wide + c]! * value
    }
  const { values, vectors } = singularValues(right, input, wide)
  const kept = Math.min(r, wide)
  const newA = new Float32Array(kept * input)
  const newB = new Float32Array(out * kept)
  for (let k = 0; k < kept; k++) {
    const value = values[k]!
    // Numbers that rounding has left are no component.
    if (value <= values[0]! * 1e-7) continue
    for (let j = 0; j < input; j++) {
      let sum = 0
      for (let p = 0; p < wide; p++) sum += right[j * wide + p]! * vectors[p * wide + k]!
      newA[k * input + j] = sum / value
    }
    for (let i = 0; i < out; i++) {
      let sum = 0
      for (let p = 0; p < wide; p++) sum += q[i * wide + p]! * vectors[p * wide + k]!
      newB[i * kept + k] = sum * value
    }
  }
  return { a: newA, b: newB, r: kept }
}

/** A with rows of zeros behind its own. */
function rows({ a }: Factors, r: number, input: number): Float32Array {
  const filled = new Float32Array(r * input)
  filled.set(a)
  return filled
}

/** B with columns of zeros behind its own. */
function columns({ b, r: own }: Factors, r: number, out: number): Float32Array {
  const filled = new Float32Array(out * r)
  for (let i = 0; i < out; i++) filled.set(b.subarray(i * own, (i + 1) * own), i * r)
  return filled
}

/**
 * Names that mean the layers of the sum: those of adapters that choose by names alone, where they mean all of them; else the layers
 * themselves.
 */
function targetsOf(opened: readonly Opened[], layers: Iterable<string>): string[] {
  const names = opened.flatMap(({ options }) => {
    const { targetModules, excludeModules, layersToTransform } = options
    const plain = Array.isArray(targetModules) && !excludeModules?.length && !layersToTransform?.length
    return plain ? targetModules : []
  })
  const paths = [...layers]
  const means = (path: string) => names.some((name) => path === name || path.endsWith(`.${name}`))
  return [...new Set(paths.every(means) ? names : paths)].sort()
}
