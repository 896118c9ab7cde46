import { IftError, type AdapterFiles } from '@ift/core'

/** The update of one module: scale · B A. */
export interface LoraFactors {
  /** Of the module, in the family's own names. */
  readonly path: string
  readonly r: number
  readonly input: number
  readonly out: number
  readonly scale: number
  /** [r, in] and [out, r] */
  read(): Promise<{ readonly a: Float32Array; readonly b: Float32Array }>
}

const prefix = 'base_model.model.'
const ends = { a: '.lora_A.weight', b: '.lora_B.weight' } as const

const refuse = (what: string, format: string, way: string) =>
  new IftError('IFT_EXPORT_UNSUPPORTED', `${format} has no word for ${what}.`, way)

/** The value that a table of patterns has for a path, as PEFT finds it. */
function patternValue(table: unknown, path: string): number | undefined {
  if (typeof table !== 'object' || table === null) return undefined
  for (const [pattern, value] of Object.entries(table))
    if (typeof value === 'number' && new RegExp(`^(?:.*\\.)?(?:${pattern})$`).test(path)) return value
  return undefined
}

const number = (value: unknown, fallback: number) => (typeof value === 'number' ? value : fallback)

/**
 * The factors of an adapter of LoRA, as it is saved: starts that changed the base are made relative to it, with twice the rank. Throws
 * IFT_EXPORT_UNSUPPORTED, naming what `format` cannot hold, with `way` out.
 */
export function loraFactors({ config, tensors }: AdapterFiles, format: string, way: string): LoraFactors[] {
  const type = config['peft_type']
  if (type !== 'LORA') throw refuse(`adapters of the type ${String(type)}`, format, way)
  if (config['use_dora'] === true) throw refuse('DoRA', format, way)
  if (config['lora_bias'] === true) throw refuse('biases of B (loraBias)', format, way)
  const whole = config['modules_to_save']
  if (Array.isArray(whole) && whole.length > 0)
    throw refuse(`modules_to_save (${whole.join(', ')})`, format, way)
  const known = (name: string) => Object.values(ends).some((end) => name.endsWith(end))
  const other = [...tensors.keys()].find((name) => !name.startsWith(prefix) || !known(name))
  if (other !== undefined) throw refuse(`the tensor ${other.replace(prefix, '')} of the adapter`, format, way)
  return [...tensors.keys()]
    .filter((name) => name.endsWith(ends.a))
    .map((name) => {
      const path = name.slice(prefix.length, -ends.a.length)
      const [a, b] = [tensors.get(name)!, tensors.get(`${prefix}${path}${ends.b}`)!]
      const r = a.dim(0)
      const alpha = patternValue(config['alpha_pattern'], path) ?? number(config['lora_alpha'], 8)
      return {
        path,
        r,
        input: a.dim(1),
        out: b.dim(0),
        scale: alpha / (config['use_rslora'] === true ? Math.sqrt(r) : r),
        read: async () => ({ a: await a.read(), b: await b.read() }),
      }
    })
}
