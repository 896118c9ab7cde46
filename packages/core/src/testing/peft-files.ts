import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { IftError } from '@ift/tensor'
import { openAdapter, writeAdapter } from '../checkpoint/adapter.js'
import type { AdapterSource } from '../contract/peft.js'
import { claim, claimSame } from './claim.js'
import type { Attached, PeftBench } from './peft-bench.js'
import { logitsOfIds } from './peft-passes.js'

/** Runs with the files that a method writes, opened again. */
async function withSaved<T>(attached: Attached, use: (adapter: AdapterSource) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'ift-peft-'))
  try {
    await writeAdapter(dir, await attached.peft.save())
    return await use(await openAdapter(dir))
  } finally {
    await rm(dir, { recursive: true })
  }
}

async function valuesOf(adapter: AdapterSource): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>()
  for (const name of [...adapter.names()].sort()) values.set(name, await adapter.read(name))
  return values
}

/** What is saved attaches, loads, computes the same, and is saved as the same again. */
export function saving(bench: PeftBench): Promise<void> {
  return bench.withTrained(async (attached) => {
    attached.peft.setTraining(false)
    const expected = await logitsOfIds(attached, bench.sequences(attached))
    const { method } = bench
    await withSaved(attached, async (adapter) => {
      const type = adapter.config['peft_type']
      claim(
        typeof type === 'string' && method.peftTypes.includes(type),
        `peft_type is ${String(type)}, expected one of ${method.peftTypes.join(', ')}.`,
      )
      const written = await valuesOf(adapter)
      claim(written.size > 0, 'The file of the adapter holds no tensor.')
      await bench.with(
        async (again) => {
          await again.peft.load(adapter)
          again.peft.setTraining(false)
          bench.near(
            'logits of what was loaded',
            await logitsOfIds(again, bench.sequences(again)),
            expected,
            1e-5,
          )
          await withSaved(again, async (second) => {
            const rewritten = await valuesOf(second)
            claim(
              [...rewritten.keys()].join() === [...written.keys()].join(),
              `The file holds ${[...written.keys()].join(', ')}; saved again, ${[...rewritten.keys()].join(', ')}.`,
            )
            for (const [name, values] of written) {
              claimSame(`shape of ${name}`, second.shape(name), adapter.shape(name))
              claimSame(name, rewritten.get(name)!, values)
            }
            for (const field of new Set([...Object.keys(adapter.config), ...Object.keys(second.config)]))
              claim(
                isDeepStrictEqual(second.config[field], adapter.config[field]),
                `${field} is ${JSON.stringify(adapter.config[field])}; saved again, ${JSON.stringify(second.config[field])}.`,
              )
          })
        },
        { adapter },
      )
    })
  })
}

/** An adapter's files with something else in them. */
function changed(
  adapter: AdapterSource,
  { without, besides, longer }: { without?: string; besides?: string; longer?: string },
): AdapterSource {
  const names = [...adapter.names()].filter((name) => name !== without)
  const shapeOf = (name: string) => (name === besides ? [2, 2] : adapter.shape(name))
  const shape = (name: string) =>
    name === longer ? [shapeOf(name)[0]! + 1, ...shapeOf(name).slice(1)] : shapeOf(name)
  return {
    config: adapter.config,
    path: adapter.path,
    names: () => (besides === undefined ? names : [...names, besides]),
    shape,
    read: async (name) => {
      const values = name === besides ? new Float32Array(4) : await adapter.read(name)
      const wanted = shape(name).reduce((product, d) => product * d, 1)
      return Float32Array.from({ length: wanted }, (_, i) => values[i % values.length]!)
    },
  }
}

/** Files that do not fit are refused, and the tensor is named. */
export function refusals(bench: PeftBench): Promise<void> {
  return bench.withTrained((attached) =>
    withSaved(attached, async (adapter) => {
      const refused = async (source: AdapterSource, what: string, ...named: string[]) => {
        await bench.withBase(async (base) => {
          let peft
          let found: unknown = null
          try {
            peft = await bench.attach(base, { adapter: source })
            await peft.load(source)
          } catch (error) {
            found = error
          }
          peft?.release()
          claim(
            found instanceof IftError &&
              /^IFT_(ADAPTER|PEFT)_/.test(found.code) &&
              named.every((text) => found.message.includes(text)),
            `${what}: expected an IFT_ADAPTER_… error naming ${named.join(' and ')}, found ${String(found)}.`,
          )
        })
      }
      const names = [...adapter.names()]
      // Frozen tensors may come from a seed where the file leaves them out.
      const trained = new Set([...attached.peft.trainable()].map(({ name }) => name))
      const needed = names.filter((name) => trained.has(name))
      for (const name of new Set([needed[0] ?? names[0]!, needed.at(-1) ?? names.at(-1)!])) {
        await refused(changed(adapter, { without: name }), `Without ${name}`, name)
        const shape = adapter.shape(name)
        const other = [shape[0]! + 1, ...shape.slice(1)]
        await refused(
          changed(adapter, { longer: name }),
          `${name} of another shape`,
          name,
          `[${other.join(', ')}]`,
        )
      }
      const left = 'base_model.model.conformance.left_over'
      await refused(changed(adapter, { besides: left }), 'A tensor too many', left)
    }),
  )
}
