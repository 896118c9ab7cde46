/** What the original's trainer makes of a value of --peft_type. */
interface SeedMethod {
  /** The method here. */
  readonly method: string
  /** Options that its flags stand for; it does nothing with those of other methods. */
  readonly options: readonly string[]
  /** Values that no flag changes. */
  readonly fixed?: Readonly<Record<string, unknown>>
  /** Values of flags that are not given, where the method here has others. */
  readonly defaults?: Readonly<Record<string, unknown>>
}

/** Methods that are here under other names or with other defaults; further ones keep both. */
const methods: Readonly<Record<string, SeedMethod>> = {
  prompt: { method: 'prompt-tuning', options: ['virtualTokens'] },
  p_tuning: {
    method: 'p-tuning',
    options: ['virtualTokens', 'encoderHidden'],
    defaults: { encoderHidden: 128 },
  },
  prefix: {
    method: 'prefix-tuning',
    options: ['virtualTokens', 'encoderHidden'],
    fixed: { projection: true },
    defaults: { encoderHidden: 128 },
  },
}

/** What a line sets of the method, with the original's flag for each option. */
export class SeedPeft {
  #type: string | undefined
  readonly #given = new Map<string, { readonly flag: string; readonly value: unknown }>()

  /** Whether the path is one of the method, whose value is then kept. */
  take(flag: string, path: string, value: unknown): boolean {
    if (!path.startsWith('peft.')) return false
    if (path === 'peft.method') this.#type = String(value)
    else this.#given.set(path.slice('peft.'.length), { flag, value })
    return true
  }

  /** Options of peft, and notes on flags that the original does nothing with. */
  options(): { readonly values: Readonly<Record<string, unknown>>; readonly notes: readonly string[] } {
    const type = this.#type
    const known = type !== undefined && Object.hasOwn(methods, type) ? methods[type]! : undefined
    const values: Record<string, unknown> = {
      ...(type !== undefined && { method: type }),
      ...known?.defaults,
    }
    const notes: string[] = []
    for (const [option, { flag, value }] of this.#given)
      if (!known || known.options.includes(option)) values[option] = value
      else notes.push(`--${flag} is not needed: --peft_type ${type!} does nothing with it.`)
    return { values: { ...values, ...(known && { method: known.method }), ...known?.fixed }, notes }
  }
}
