import type { GgufFacts } from '../../contract/gguf.js'
import { inverseFrequencies } from '../rope.js'
import { metadataError, type GgufKeys } from './metadata.js'

/** What llama.cpp names the tables of divisors of the frequencies. */
export const ropeTables = {
  one: 'rope_freqs.weight',
  long: 'rope_factors_long.weight',
  short: 'rope_factors_short.weight',
} as const

/** LLaMA 3.1 to 3.3; the divisor of low frequencies is 8 or 32. */
const published = { low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 }

const near = (a: number, b: number) => Math.abs(a - b) <= 1e-5 * Math.abs(b)

/**
 * `rope_scaling` of LLaMA 3.1 and later, whose converter writes the divisors of the frequencies in place of what they follow from. A
 * table that follows from the published numbers gives those, another one itself; null where nothing is divided.
 */
function fromTable(
  table: Float32Array,
  theta: number,
  dims: number,
  context: number,
): Record<string, unknown> | null {
  if (table.every((divisor) => divisor === 1)) return null
  const factor = Math.max(...table)
  if (factor > 1) {
    const config = {
      kind: 'llama3' as const,
      theta,
      factor,
      lowFreqFactor: published.low_freq_factor,
      highFreqFactor: published.high_freq_factor,
      originalMaxPositions: published.original_max_position_embeddings,
    }
    const divided = inverseFrequencies(config, dims, 1)
    const plain = inverseFrequencies({ kind: 'default', theta }, dims, 1)
    if (
      table.length === divided.length &&
      table.every((divisor, i) => near(plain[i]! / divided[i]!, divisor))
    )
      return { rope_type: 'llama3', factor, ...published }
  }
  const factors = Array.from(table)
  return {
    rope_type: 'longrope',
    short_factor: factors,
    long_factor: factors,
    original_max_position_embeddings: context,
    attention_factor: 1,
  }
}

/** `rope_scaling` of config.json by the metadata and tables of a file, or undefined without any. */
export function ggufRopeScaling(
  { tables }: Pick<GgufFacts, 'tables'>,
  keys: GgufKeys,
  { theta, dims, context }: { readonly theta: number; readonly dims: number; readonly context: number },
): Record<string, unknown> | undefined {
  const { number } = keys
  const original = number('rope.scaling.original_context_length')
  const trained = original === undefined ? {} : { original_max_position_embeddings: original }
  const attention = number('rope.scaling.attn_factor')
  const [long, short] = [tables.get(ropeTables.long), tables.get(ropeTables.short)]
  if (long !== undefined || short !== undefined) {
    if (long === undefined || short === undefined || original === undefined)
      throw metadataError(
        `${keys.architecture}.rope.scaling.original_context_length`,
        `a number, with the tables ${ropeTables.short} and ${ropeTables.long}`,
        original,
      )
    return {
      rope_type: 'longrope',
      short_factor: Array.from(short),
      long_factor: Array.from(long),
      ...trained,
      ...(attention === undefined ? {} : { attention_factor: attention }),
    }
  }
  const type =
    keys.text('rope.scaling.type') ?? (number('rope.scale_linear') === undefined ? 'none' : 'linear')
  const factor = number('rope.scaling.factor') ?? number('rope.scale_linear')
  const table = tables.get(ropeTables.one)
  if (type === 'none' || (type === 'linear' && factor === 1))
    return table === undefined ? undefined : (fromTable(table, theta, dims, context) ?? undefined)
  if (table !== undefined && table.some((divisor) => divisor !== 1))
    throw metadataError(
      `${keys.architecture}.rope.scaling.type`,
      `nothing beside the table ${ropeTables.one}`,
      type,
    )
  if (type === 'linear') return { rope_type: type, factor }
  if (type === 'yarn') {
    const [fast, slow] = [number('rope.scaling.yarn_beta_fast'), number('rope.scaling.yarn_beta_slow')]
    return {
      rope_type: type,
      factor,
      ...trained,
      ...(fast === undefined ? {} : { beta_fast: fast }),
      ...(slow === undefined ? {} : { beta_slow: slow }),
      // llama.cpp multiplies its own by it.
      ...(attention === undefined || attention === 1
        ? {}
        : { attention_factor: attention * (1 + 0.1 * Math.log(Math.max(1, factor ?? 1))) }),
    }
  }
  return { rope_type: type, factor, ...trained }
}
