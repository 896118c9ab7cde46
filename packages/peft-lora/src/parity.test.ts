import { mkdtempSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import {
  loadWeights,
  openAdapter,
  openCheckpoint,
  openSafetensors,
  readStored,
  writeAdapter,
  type PeftHandle,
} from '@ift/core'
import { openCpu } from '@ift/kernels-cpu'
import { llama } from '@ift/model-llama'
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
} from '@ift/tensor'
import { lora } from './index.js'

const fixture = (...path: string[]) =>
  fileURLToPath(new URL(join('../../../fixtures', ...path), import.meta.url))

interface Golden {
  readonly ids: Int32Array
  readonly cu: Int32Array
  readonly labels: Int32Array
  readonly floats: ReadonlyMap<string, Float32Array>
}

async function golden(path: string): Promise<Golden> {
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

/** Runs `use` with the base of an adapter, the adapter attached and loaded. */
async function withAdapter(
  adapterDir: string,
  use: (model: CausalLM, peft: PeftHandle, backend: Backend) => Promise<void>,
): Promise<void> {
  const backend = openCpu({ threads: 2 })
  const adapter = await openAdapter(adapterDir)
  const base = fixture(String(adapter.config['base_model_name_or_path']))
  const json = JSON.parse(await readFile(join(base, 'config.json'), 'utf8')) as Record<string, unknown>
  const config = llama.parseConfig(json)
  const model = llama.build(config)
  await loadWeights(model, llama, config, await openCheckpoint(base), { backend, dtype: 'f32' })
  const peft = await lora.attach(model, lora.fromAdapterConfig(adapter.config), {
    definition: llama,
    shape: llama.shape(config),
    backend,
    dtype: 'f32',
    seed: 1,
    baseModel: String(adapter.config['base_model_name_or_path']),
  })
  try {
    await peft.load(adapter)
    await use(model, peft, backend)
  } finally {
    peft.release()
    model.release()
    expect(backend.memory().buffers).toBe(0)
    backend.close()
  }
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

const logitsOf = async (backend: Backend, model: CausalLM, data: Golden) => {
  const logits = noGrad(() => scope(() => model.lmHead.call(model.call(packed(backend, data).input))))
  const values = await logits.read()
  logits.release()
  return values
}

const worst = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  expect(a.length).toBe(b.length)
  let most = 0
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!))
  return most
}

const variants = ['lora', 'all-linear', 'rslora', 'dora', 'modules-to-save', 'patterns', 'layers', 'regex']

describe.each(variants)('%s, made by Hugging Face PEFT', (variant) => {
  const dir = fixture('peft-lora', variant)

  test('logits, loss and gradients of what is trained', async () => {
    const data = await golden(join(dir, 'golden.safetensors'))
    await withAdapter(dir, async (model, peft, backend) => {
      expect(worst(await logitsOf(backend, model, data), data.floats.get('logits')!)).toBeLessThan(1e-4)
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
      expect((await loss.read())[0]).toBeCloseTo(data.floats.get('loss')![0]!, 5)
      loss.release()
      const names = [...data.floats.keys()].filter((name) => name.startsWith('grad.'))
      const trainable = new Map(
        [...peft.trainable()].map(({ name, parameter }) => [`grad.${name}`, parameter]),
      )
      expect([...trainable.keys()].sort()).toEqual(names.sort())
      for (const [name, parameter] of trainable) {
        const expected = data.floats.get(name)!
        const scale = Math.max(...expected.map(Math.abs), 1e-6)
        expect(worst(await parameter.grad!.read(), expected) / scale, name).toBeLessThan(1e-4)
        parameter.zeroGrad()
      }
    })
  })

  test('written again it is the same adapter, and merging keeps the logits', async () => {
    const data = await golden(join(dir, 'golden.safetensors'))
    await withAdapter(dir, async (model, peft, backend) => {
      const out = join(mkdtempSync(join(tmpdir(), 'ift-lora-')), 'adapter')
      await writeAdapter(out, await peft.save())
      const [before, after] = [await openAdapter(dir), await openAdapter(out)]
      expect([...after.names()].sort()).toEqual([...before.names()].sort())
      for (const name of before.names())
        expect(worst(await after.read(name), await before.read(name)), name).toBe(0)
      for (const key of ['r', 'lora_alpha', 'use_dora', 'use_rslora', 'peft_type', 'bias'])
        expect(after.config[key], key).toEqual(before.config[key])
      await peft.merge!()
      expect(worst(await logitsOf(backend, model, data), data.floats.get('logits')!)).toBeLessThan(1e-4)
    })
  })
})
