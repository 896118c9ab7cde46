import {
  IftError,
  type AdapterSource,
  type AdapterValues,
  type CombineOptions,
  type Combination,
  type WeightedAdapter,
} from '@ift/core'
import { patternTable } from '@ift/core/peft'
import { factorShapes, refusal, type FactorShapes } from './factor-shapes.js'
import { changesWeights, type LoraOptions } from './options.js'
import { orthonormalize, singularValues } from './svd.js'

/** Names of the starts that move part of the base weights into A and B. */
const startNames = { pissa: 'PiSSA', olora: 'OLoRA' }

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

interface Layer extends Omit<FactorShapes, 'r'> {
  readonly terms: Term[]
}

interface Opened {
  readonly adapter: WeightedAdapter
  readonly options: LoraOptions
  readonly shapes: readonly FactorShapes[]
  /** The largest of its layers. */
  readonly rank: number
}

/**
 * The sum of adapters as one adapter, with the numbers of PEFT 0.21's add_weighted_adapter: alpha is the rank, so the scale is 1, and
 * layers of a smaller rank are filled up with zeros. Where PEFT takes `use_rslora` and the choice of layers from the first adapter, which
 * changes what the others compute, the result says its own.
 */
export async function combineLora(
  adapters: readonly WeightedAdapter[],
  { combination, rank }: CombineOptions,
  read: (source: AdapterSource) => LoraOptions,
): Promise<AdapterValues> {
  const opened = adapters.map((adapter) => openFactors(adapter, read(adapter.source)))
  const r = rankOf(combination, opened, rank)
  const layers = new Map<string, Layer>()
  for (const one of opened) await addTerms(layers, one)
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

/** What an adapter is made of, by its config and the shapes in its file. Throws for what is no sum of products. */
function openFactors(adapter: WeightedAdapter, options: LoraOptions): Opened {
  const { dora, init, rankPattern } = options
  if (dora) throw refusal(adapter, 'has DoRA: its update is no product that could be added to others')
  if (changesWeights(init))
    throw refusal(adapter, `started from ${startNames[init]}: it belongs to changed base weights`)
  const shapes = factorShapes(adapter)
  const rankAt = patternTable(rankPattern, options.r)
  for (const { path, r } of shapes)
    if (r !== rankAt(path))
      throw refusal(adapter, `has rank ${r} at "${path}", and its config says ${rankAt(path)}`)
  return { adapter, options, shapes, rank: shapes.reduce((most, { r }) => Math.max(most, r), 0) }
}

/** Reads what an adapter does at each of its layers. */
async function addTerms(layers: Map<string, Layer>, { adapter, options, shapes }: Opened): Promise<void> {
  const { name, source, weight } = adapter
  const alphaAt = patternTable(options.alphaPattern, options.alpha)
  for (const { r, ...own } of shapes) {
    const { path, names, input, out } = own
    const layer = layers.get(path) ?? { ...own, terms: [] }
    if (layer.input !== input || layer.out !== out || layer.names[0] !== names[0])
      throw refusal(
        adapter,
        `adapts "${path}" as [${out}, ${input}] with "${names[0]}", and others as [${layer.out}, ${layer.input}] with "${layer.names[0]}"`,
      )
    const scale = alphaAt(path) / (options.rslora ? Math.sqrt(r) : r)
    const [a, b] = [await source.read(names[0]), await source.read(names[1])]
    layer.terms.push({ adapter: name, a, b, r, weight, scale })
    layers.set(path, layer)
  }
}

/** Of the result. Ranks are those of tensors: a pattern of the config that means no layer has none. */
function rankOf(combination: Combination, opened: readonly Opened[], asked: number | undefined): number {
  const all = opened.reduce((sum, { rank }) => sum + rank, 0)
  if (combination === 'cat') return all
  const most = opened.reduce((largest, { rank }) => Math.max(largest, rank), 0)
  if (combination === 'svd') {
    if (asked !== undefined && asked > all)
      throw new IftError(
        'IFT_ADAPTER_COMBINE',
        `The rank of the sum is expected to be at most ${all}, the ranks of its adapters together, found ${asked}.`,
        'Leave it out for the largest one, or take cat, which is exact.',
      )
    return asked ?? most
  }
  const other = opened.find(({ rank }) => rank !== most)
  if (other) throw unequal(`${other.adapter.name} has rank ${other.rank}, another one ${most}`)
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
