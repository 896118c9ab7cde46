import { IftError } from '@ift/tensor'
import { toJSONSchema } from '../config/options.js'
import { noVirtualTokens, virtualLength } from '../data/virtual-tokens.js'
import { claim, claimClose, claimSame } from './claim.js'
import { disturb, norm, type PeftBench } from './peft-bench.js'
import { logitsOfIds } from './peft-passes.js'

/** A fresh method leaves the logits as they are, or is said not to. */
export function start(bench: PeftBench): Promise<void> {
  return bench.withBase(async (base) => {
    const sequences = bench.sequences(base)
    const before = await logitsOfIds(base, sequences)
    const peft = await bench.attach(base)
    peft.setTraining(false)
    const after = await logitsOfIds({ ...base, peft }, sequences)
    if (bench.options.startsAtBase ?? true)
      claimClose('logits of the method as it starts', after, before, 1e-5)
    else
      claim(
        after.some((value, i) => Math.abs(value - before[i]!) > 1e-5 * (1 + Math.abs(before[i]!))),
        'startsAtBase is false, and the method as it starts leaves the logits as they are.',
      )
    peft.release()
  })
}

/** The same seed gives the same start, bit for bit. */
export async function seeded(bench: PeftBench): Promise<void> {
  const started = (seed: number) =>
    bench.with(
      async ({ peft }) => {
        const values = new Map<string, Float32Array>()
        for (const { name, parameter } of peft.trainable()) values.set(name, await parameter.master.read())
        return values
      },
      { seed },
    )
  const [first, again] = [await started(3), await started(3)]
  claim(first.size === again.size, `${first.size} parameters start, then ${again.size}.`)
  for (const [name, values] of first) {
    claim(values.every(Number.isFinite), `${name} starts with a value that is not finite.`)
    claimSame(`start of ${name}`, again.get(name)!, values)
  }
}

/** What is trained has names of its own and stays the same; everything else is frozen. */
export function trained(bench: PeftBench): Promise<void> {
  return bench.with(({ peft, model }) => {
    const entries = [...peft.trainable()]
    claim(entries.length > 0, 'Nothing is trained.')
    const names = entries.map(({ name }) => name)
    claim(new Set(names).size === names.length, 'Two trained parameters have one name.')
    const again = [...peft.trainable()]
    claim(
      again.length === entries.length && again.every((one, i) => one.parameter === entries[i]!.parameter),
      'trainable() gives other parameters when it is asked again.',
    )
    const own = new Set(entries.map(({ parameter }) => parameter))
    claim(own.size === entries.length, 'A parameter is trained under two names.')
    for (const { name, parameter, lrScale } of entries) {
      claim(parameter.trainable, `${name} is in trainable(), and is frozen.`)
      claim(lrScale > 0 && Number.isFinite(lrScale), `lrScale of ${name} is ${lrScale}.`)
    }
    for (const [path, parameter] of model.namedParameters())
      claim(!parameter.trainable || own.has(parameter), `${path} is trainable, and not in trainable().`)
    return Promise.resolve()
  })
}

/** Virtual tokens are those that the method names before a model is loaded, by which samples are cut. */
export function planned(bench: PeftBench): Promise<void> {
  return bench.with(({ peft }) => {
    const said = bench.method.virtualTokens?.(bench.parsed()) ?? noVirtualTokens
    const found = virtualLength(peft)
    claim(
      said.tokens === found.tokens && said.places === found.places,
      `virtualTokens() gives ${said.tokens} tokens in ${said.places} places, and attached it has ${found.tokens} in ${found.places}.`,
    )
    return Promise.resolve()
  })
}

/** Off, the model computes as without the method, bit for bit; on again, as before. */
export function switching(bench: PeftBench): Promise<void> {
  return bench.withBase(async (base) => {
    const sequences = bench.sequences(base)
    const plain = await logitsOfIds(base, sequences)
    const attached = { ...base, peft: await bench.attach(base) }
    const { peft } = attached
    await disturb(attached)
    const on = await logitsOfIds(attached, sequences)
    claim(
      norm(on.map((value, i) => value - plain[i]!)) > 1e-3 * norm(plain),
      'Other values of what is trained do not move the logits.',
    )
    peft.setEnabled(false)
    claimSame('logits with the method off', await logitsOfIds(attached, sequences), plain)
    peft.setEnabled(true)
    claimSame('logits with the method on again', await logitsOfIds(attached, sequences), on)
    peft.release()
  })
}

/** An option that no method has, and those of methods that have little in common. */
const names = [
  'conformance',
  'r',
  'virtualTokens',
  'targetR',
  'bottleneckSize',
  'encoderHidden',
  'tokenIndices',
]

/** Options that the schema of a method has anywhere in it. */
function optionsIn(schema: unknown): Set<string> {
  const found = new Set<string>()
  const visit = (at: unknown): void => {
    if (typeof at !== 'object' || at === null) return
    for (const [key, value] of Object.entries(at)) {
      if (key === 'properties') for (const name of Object.keys(value as object)) found.add(name)
      visit(value)
    }
  }
  visit(schema)
  return found
}

/** Options that the method does not have are refused by name, and those that it has are described. */
export function options(bench: PeftBench): Promise<void> {
  const schema = toJSONSchema(bench.method.options, { io: 'input' })
  const own = optionsIn(schema)
  bench.parsed()
  for (const name of names.filter((one) => !own.has(one))) {
    let found: unknown = null
    try {
      bench.parsed({ [name]: 4 })
    } catch (error) {
      found = error
    }
    claim(
      found instanceof IftError &&
        found.code === 'IFT_CONFIG_INVALID' &&
        found.message.includes(`peft.${name}`),
      `${name}: 4 belongs to another method: expected IFT_CONFIG_INVALID naming peft.${name}, found ${String(found)}.`,
    )
  }
  for (const [name, { description }] of Object.entries(
    (schema.properties ?? {}) as Record<string, { description?: string }>,
  ))
    claim(description !== undefined && description.trim() !== '', `Option ${name} has no description.`)
  return Promise.resolve()
}
