import { IftError, type AdapterSource } from '@ift/core'

const field = 'rank_pattern'
/** The key of a layer; PEFT keeps the name of the adapter in it until it has saved one. */
const key = /^(.+)\.lora_E(?:\.[^.]+)?$/

/** By module path. */
type Kept = ReadonlyMap<string, readonly boolean[]>

/** What was read of an adapter, which each of its layers asks for. */
const read = new WeakMap<AdapterSource, { readonly initR: number; readonly kept: Kept }>()

/**
 * Which of its first `initR` singular values each layer of an adapter has kept, by module path; layers that are not there have kept
 * all. Throws IFT_ADAPTER_CONFIG.
 */
export function keptValues(adapter: AdapterSource, initR: number): Kept {
  const known = read.get(adapter)
  if (known?.initR === initR) return known.kept
  const kept = readPattern(adapter, initR)
  read.set(adapter, { initR, kept })
  return kept
}

function readPattern(adapter: AdapterSource, initR: number): Kept {
  const pattern = adapter.config[field] ?? {}
  const wrong = (what: string) =>
    new IftError(
      'IFT_ADAPTER_CONFIG',
      `adapter_config.json of ${adapter.path}: ${field} ${what}`,
      'Take the file from where the adapter was made.',
    )
  if (typeof pattern !== 'object' || Array.isArray(pattern))
    throw wrong(`should be an object of lists, found ${JSON.stringify(pattern)}.`)
  const kept = new Map<string, readonly boolean[]>()
  for (const [name, mask] of Object.entries(pattern)) {
    const path = key.exec(name)?.[1]
    if (path === undefined) throw wrong(`has "${name}", which should end in .lora_E.`)
    if (!Array.isArray(mask) || !mask.every((one) => typeof one === 'boolean'))
      throw wrong(`of "${name}" should be a list of true and false.`)
    if (mask.length !== initR)
      throw wrong(`of "${name}" should have init_r, ${initR}, values; found ${mask.length}.`)
    kept.set(path, mask)
  }
  return kept
}

/** Throws IFT_ADAPTER_CONFIG for a layer of the pattern that the adapter does not adapt. */
export function checkLayers(adapter: AdapterSource, kept: Kept, layers: ReadonlyMap<string, unknown>): void {
  for (const path of kept.keys())
    if (!layers.has(path))
      throw new IftError(
        'IFT_ADAPTER_CONFIG',
        `adapter_config.json of ${adapter.path}: ${field} names "${path}", which target_modules does not.`,
        'Is it an adapter of this model?',
      )
}

/** `rank_pattern` for these layers: null where every value is kept. */
export function rankPattern(
  layers: ReadonlyMap<string, { readonly pattern: readonly boolean[] }>,
): Record<string, readonly boolean[]> | null {
  const patterns = [...layers].map(([path, { pattern }]) => [`${path}.lora_E`, pattern] as const)
  return patterns.every(([, pattern]) => pattern.every(Boolean)) ? null : Object.fromEntries(patterns)
}
