// What the tests of this package compare with: fixtures/peft-lora.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import {
  loadWeights,
  openAdapter,
  openCheckpoint,
  openSafetensors,
  readStored,
  type AdapterSource,
  type ModelDefinition,
  type PeftHandle,
} from '@ift/core'
import { openCpu } from '@ift/kernels-cpu'
import { bloom } from '@ift/model-bloom'
import { gemma3 } from '@ift/model-gemma'
import { llama } from '@ift/model-llama'
import { qwen } from '@ift/model-qwen'
import {
  backward,
  noGrad,
  ops,
  PackedKv,
  scope,
  segments,
  tensor,
  withRandom,
  type Backend,
  type CausalLM,
  type FloatDType,
} from '@ift/tensor'
import { lora, type LoraOptions } from './index.js'
import { loraOptions } from './options.js'

export const fixture = (...path: string[]) =>
  fileURLToPath(new URL(join('../../../fixtures', ...path), import.meta.url))

export interface Golden {
  readonly ids: Int32Array
  readonly cu: Int32Array
  readonly labels: Int32Array
  readonly floats: ReadonlyMap<string, Float32Array>
}

export async function golden(path: string): Promise<Golden> {
  const { tensors } = await openSafetensors(path)
  const bytes = async (name: string) => (await readStored(tensors.get(name)!)).slice().buffer
  const floats = new Map<string, Float32Array>()
  for (const [name, { dtype }] of tensors)
    if (dtype === 'F32') floats.set(name, new Float32Array(await bytes(name)))
  return {
    ids: new Int32Array(await bytes('input_ids')),
    cu: new Int32Array(await bytes('cu_seqlens')),
    labels: new Int32Array(await bytes('labels')),
    floats,
  }
}

/** Families by the folders of their tiny models. */
const families: Readonly<Record<string, ModelDefinition>> = { bloom, gemma: gemma3, qwen }

/** A model of the fixtures with LoRA on it, for the time of `use`. */
export async function withLora(
  base: string,
  options: Partial<LoraOptions>,
  use: (model: CausalLM, peft: PeftHandle, backend: Backend) => Promise<void>,
  dtype: FloatDType = 'f32',
  adapter?: AdapterSource,
): Promise<void> {
  const backend = openCpu({ threads: 2 })
  const dir = fixture(base)
  const json = JSON.parse(await readFile(join(dir, 'config.json'), 'utf8')) as Record<string, unknown>
  const definition = families[base.split('/')[0]!] ?? llama
  const config: unknown = definition.parseConfig(json)
  const model = definition.build(config)
  await loadWeights(model, definition, config, await openCheckpoint(dir), { backend, dtype })
  try {
    const peft = await lora.attach(model, loraOptions.parse(options), {
      definition,
      shape: definition.shape(config),
      backend,
      dtype,
      seed: 1,
      baseModel: base,
      adapter,
    })
    try {
      await use(model, peft, backend)
    } finally {
      peft.release()
    }
  } finally {
    model.release()
    expect(backend.memory().buffers).toBe(0)
    backend.close()
  }
}

/** The base of an adapter with the adapter attached and loaded. */
export async function withAdapter(
  adapterDir: string,
  use: (model: CausalLM, peft: PeftHandle, backend: Backend, adapter: AdapterSource) => Promise<void>,
): Promise<void> {
  const adapter = await openAdapter(adapterDir)
  const base = String(adapter.config['base_model_name_or_path'])
  const load = async (model: CausalLM, peft: PeftHandle, backend: Backend) => {
    await peft.load(adapter)
    await use(model, peft, backend, adapter)
  }
  await withLora(base, lora.fromAdapterConfig(adapter.config), load, 'f32', adapter)
}

/** Loss of a golden file's data, with the gradients of everything that is trained left in the parameters. */
export async function lossOf(backend: Backend, model: CausalLM, peft: PeftHandle, data: Golden) {
  peft.setTraining(true)
  const loss = withRandom({ seed: 0, step: 0, micro: 0 }, () =>
    scope(() => {
      const { input, targets, trained } = packed(backend, data)
      const result = ops.linearCrossEntropy(model.call(input), model.lmHead, targets, {
        gradScale: 1 / trained,
      })
      backward(result)
      return result
    }),
  )
  const value = (await loss.read())[0]!
  loss.release()
  return value
}

/** Input of a golden file, all sequences packed; targets are the next tokens, -1 where none is learned. */
function packed(backend: Backend, { ids, cu, labels }: Golden) {
  const lengths = Array.from({ length: cu.length - 1 }, (_, s) => cu[s + 1]! - cu[s]!)
  const parts = segments(backend, lengths)
  const targets = new Int32Array(ids.length).fill(-1)
  for (let s = 0; s < lengths.length; s++)
    for (let i = cu[s]!; i + 1 < cu[s + 1]!; i++) if (labels[i + 1]! >= 0) targets[i] = labels[i + 1]!
  return {
    input: {
      ids: tensor(backend, ids, [ids.length], 'i32'),
      positions: tensor(
        backend,
        Int32Array.from(lengths.flatMap((n) => Array.from({ length: n }, (_, i) => i))),
        [ids.length],
        'i32',
      ),
      segments: parts,
      kv: new PackedKv(parts),
      maxPosition: Math.max(...lengths),
    },
    targets: tensor(backend, targets, [ids.length], 'i32'),
    trained: targets.filter((target) => target >= 0).length,
  }
}

export const logitsOf = async (backend: Backend, model: CausalLM, data: Golden) => {
  const logits = noGrad(() => scope(() => model.lmHead.call(model.call(packed(backend, data).input))))
  const values = await logits.read()
  logits.release()
  return values
}

export const worst = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  expect(a.length).toBe(b.length)
  let most = 0
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!))
  return most
}

/** Values [rows, cols] as [cols, rows]. */
export const turned = (values: Float32Array, rows: number, cols: number) =>
  Float32Array.from(values, (_, at) => values[(at % rows) * cols + Math.floor(at / rows)]!)
