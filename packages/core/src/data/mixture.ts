import { IftError } from '@ift/tensor'
import { permutation } from './random.js'
import type { SampleSource } from './store.js'
import type { Sample } from '../contract/data.js'

export interface MixturePart {
  readonly name: string
  readonly samples: SampleSource
  /** How often the samples are taken relative to their number: 2 twice, 0.5 a seeded half. */
  readonly weight?: number | undefined
}

export interface MixtureOptions {
  /** Seeded through each other, or one part after the other. */
  readonly order: 'shuffled' | 'sequential'
  readonly seed: number
  /** Take the first of samples with the same tokens only. */
  readonly dedup: boolean
  /** Samples held out: a whole number, or a share below 1. */
  readonly validation: { readonly size: number; readonly seed: number }
}

/** Some samples of several sources, in an order; nothing is copied. */
export class SampleView implements SampleSource {
  readonly #parts: readonly MixturePart[]
  readonly #part: Uint16Array
  readonly #index: Int32Array

  /** Sample i is number `index[i]` of `parts[part[i]]`. */
  constructor(parts: readonly MixturePart[], part: Uint16Array, index: Int32Array) {
    this.#parts = parts
    this.#part = part
    this.#index = index
  }

  get count(): number {
    return this.#index.length
  }

  /** Name of the part that a sample comes from. */
  partOf(index: number): string {
    return this.#parts[this.#part[index]!]!.name
  }

  length(index: number): number {
    return this.#source(index).length(this.#index[index]!)
  }

  trained(index: number): number {
    return this.#source(index).trained(this.#index[index]!)
  }

  learnsFirst(index: number): boolean {
    return this.#source(index).learnsFirst(this.#index[index]!)
  }

  sample(index: number): Sample {
    return this.#source(index).sample(this.#index[index]!)
  }

  #source(index: number): SampleSource {
    const part = this.#part[index]
    if (part === undefined)
      throw new IftError('IFT_SAMPLE_RANGE', `Sample ${index} of ${this.count} was asked for.`)
    return this.#parts[part]!.samples
  }
}

export interface Mixture {
  readonly train: SampleView
  readonly validation: SampleView
  /** Samples that `dedup` took out. */
  readonly duplicates: number
}

/** FNV-1a over the ids. */
function hashIds(ids: Int32Array): number {
  let hash = 0x811c9dc5
  for (const id of ids) hash = Math.imul(hash ^ id, 0x01000193)
  return hash >>> 0
}

const sameIds = (a: Int32Array, b: Int32Array) => a.length === b.length && a.every((id, i) => id === b[i])

/** Numbers of the samples whose tokens did not occur before, over all parts in order. */
function withoutDuplicates(parts: readonly MixturePart[]): Int32Array[] {
  // Places by hash; several only when hashes collide.
  const seen = new Map<number, number | number[]>()
  const starts = [0]
  for (const { samples } of parts) starts.push(starts.at(-1)! + samples.count)
  const idsAt = (place: number) => {
    const part = starts.findLastIndex((start) => start <= place)
    return parts[part]!.samples.sample(place - starts[part]!).ids
  }
  return parts.map(({ samples }, p) => {
    const kept: number[] = []
    for (let i = 0; i < samples.count; i++) {
      const { ids } = samples.sample(i)
      const hash = hashIds(ids)
      const before = seen.get(hash)
      const places = before === undefined ? [] : typeof before === 'number' ? [before] : before
      if (places.some((place) => sameIds(idsAt(place), ids))) continue
      const place = starts[p]! + i
      seen.set(hash, before === undefined ? place : [...places, place])
      kept.push(i)
    }
    return Int32Array.from(kept)
  })
}

/** Whole copies and a seeded choice for the rest; the choice stays in the order of the data. */
function weighted(indexes: Int32Array, weight: number, seed: number, name: string): Int32Array {
  const wanted = Math.round(indexes.length * weight)
  if (wanted > 0x7fffffff)
    throw new IftError(
      'IFT_DATA_WEIGHT',
      `Dataset "${name}": weight ${weight} makes ${wanted} samples of ${indexes.length}.`,
    )
  const result = new Int32Array(wanted)
  let at = 0
  for (; at + indexes.length <= wanted && indexes.length > 0; at += indexes.length) result.set(indexes, at)
  const chosen = permutation(indexes.length, 'weight', seed, name)
    .subarray(0, wanted - at)
    .sort()
  for (const [i, k] of chosen.entries()) result[at + i] = indexes[k]!
  return result
}

/**
 * Mixes samples of several datasets. Duplicates go first, then samples are held out over all parts evenly (so that no
 * held-out sample is trained on however often a part is taken), then weights apply.
 */
export function mixSamples(parts: readonly MixturePart[], options: MixtureOptions): Mixture {
  const { dedup, order, seed, validation } = options
  if (parts.length > 0xffff)
    throw new IftError('IFT_DATA_PARTS', `${parts.length} datasets are more than 65535.`)
  for (const { name, weight = 1 } of parts)
    if (!(weight > 0 && Number.isFinite(weight)))
      throw new IftError('IFT_DATA_WEIGHT', `Dataset "${name}": weight ${weight} is not a positive number.`)

  const all = dedup
    ? withoutDuplicates(parts)
    : parts.map(({ samples }) => Int32Array.from({ length: samples.count }, (_, i) => i))
  const total = all.reduce((sum, { length }) => sum + length, 0)
  const duplicates = parts.reduce((sum, { samples }) => sum + samples.count, 0) - total

  // A share of little data is one sample at least: a run that asked for an evaluation has one.
  const share = validation.size > 0 && validation.size < 1
  const heldOut = share ? Math.max(1, Math.round(validation.size * total)) : Math.floor(validation.size)
  if (total > 0 && heldOut > 0 && heldOut >= total)
    throw new IftError(
      'IFT_DATA_SPLIT',
      `validation.size: ${validation.size} holds out ${heldOut} of ${total} samples; none would be left to train on.`,
      'Give a share such as 0.1, a smaller number, or 0 for no validation.',
    )
  const isHeldOut = new Uint8Array(total)
  for (const place of permutation(total, 'validation', validation.seed).subarray(0, heldOut))
    isHeldOut[place] = 1

  const trainParts: Int32Array[] = []
  const validationParts: Int32Array[] = []
  let start = 0
  for (const [p, indexes] of all.entries()) {
    const from = start
    start += indexes.length
    const { name, weight = 1 } = parts[p]!
    const kept = indexes.filter((_, i) => isHeldOut[from + i] === 0)
    trainParts.push(weight === 1 ? kept : weighted(kept, weight, seed, name))
    validationParts.push(indexes.filter((_, i) => isHeldOut[from + i] === 1))
  }
  const train = viewOf(parts, trainParts, order === 'shuffled' && parts.length > 1 ? seed : null)
  return { train, validation: viewOf(parts, validationParts, null), duplicates }
}

function viewOf(
  parts: readonly MixturePart[],
  indexes: readonly Int32Array[],
  seed: number | null,
): SampleView {
  const count = indexes.reduce((sum, { length }) => sum + length, 0)
  const part = new Uint16Array(count)
  const index = new Int32Array(count)
  let at = 0
  for (const [p, own] of indexes.entries()) {
    part.fill(p, at, at + own.length)
    index.set(own, at)
    at += own.length
  }
  if (seed === null) return new SampleView(parts, part, index)
  const order = permutation(count, 'mix', seed)
  return new SampleView(
    parts,
    part.map((_, i) => part[order[i]!]!),
    index.map((_, i) => index[order[i]!]!),
  )
}
