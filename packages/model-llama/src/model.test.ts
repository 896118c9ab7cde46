import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  loadWeights,
  openCheckpoint,
  openSafetensors,
  readStored,
  readValues,
  type ModelDefinition,
} from '@ift/core'
import { llamaRoles } from '@ift/core/model'
import { modelConformance } from '@ift/core/testing'
import { instructionSets, openCpu } from '@ift/kernels-cpu'
import {
  IftError,
  keep,
  noGrad,
  PackedKv,
  scope,
  segments,
  tensor,
  type ForwardInput,
  type Tensor,
} from '@ift/tensor'
import { describe, expect, test } from 'vitest'
import { llama, LlamaForCausalLM, plugin, type LlamaConfig } from './index.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../../fixtures/${path}`, import.meta.url))

const goldens = [
  'llama-tiny',
  ...readdirSync(fixture('llama-variants')).map((name) => `llama-variants/${name}`),
]

for (const golden of goldens) {
  describe(golden, () => {
    for (const { name, run } of modelConformance(plugin, { golden: fixture(golden) })) test(name, run)
  })
}

// The same weights in other files; GGUF has q and k in another order.
for (const golden of ['checkpoint/gguf'])
  describe(golden, () => {
    for (const { name, run } of modelConformance(plugin, { golden: fixture(golden) }))
      if (name.includes('logits')) test(name, run)
  })

describe('without golden files', () => {
  const config = { ...json(), vocab_size: 11, num_hidden_layers: 1, hidden_size: 8, intermediate_size: 12 }
  for (const { name, run } of modelConformance(plugin, {
    config: { ...config, num_attention_heads: 2, num_key_value_heads: 1, head_dim: 4 },
  }))
    test(name, run)
})

function json(): Record<string, unknown> {
  return { architectures: ['LlamaForCausalLM'], model_type: 'llama', max_position_embeddings: 32 }
}

/** Why the native add-on cannot be used, or null. */
function cpuMissing(): string | null {
  try {
    return instructionSets().length > 0 ? null : 'no instruction set'
  } catch (error) {
    if (error instanceof IftError) return error.message
    throw error
  }
}

describe('on the CPU', () => {
  const missing = cpuMissing()
  if (missing !== null) process.stderr.write(`skipped: ${missing}\n`)
  for (const golden of ['llama-tiny', 'llama-variants/rope-llama3', 'llama-variants/tied-bias'])
    for (const { name, run } of modelConformance(plugin, {
      golden: fixture(golden),
      open: () => openCpu({ threads: 2 }),
    }))
      test.skipIf(missing !== null)(`${golden}: ${name}`, run)

  test.skipIf(missing !== null)('bf16 weights give the golden logits but for rounding', async () => {
    const backend = openCpu({ threads: 2 })
    const dir = fixture('llama-tiny')
    const config = llama.parseConfig(
      JSON.parse(readFileSync(`${dir}/config.json`, 'utf8')) as Record<string, unknown>,
    )
    const model = llama.build(config)
    await loadWeights(model, llama, config, await openCheckpoint(dir), { backend, dtype: 'bf16' })
    const golden = await openSafetensors(`${dir}/golden.safetensors`)
    const ints = async (name: string) => new Int32Array((await readStored(golden.tensors.get(name)!)).buffer)
    const [ids, cu] = [await ints('input_ids'), await ints('cu_seqlens')]
    const lengths = Array.from(cu.subarray(1), (end, i) => end - cu[i]!)
    const logits = await scope(() =>
      noGrad(() => {
        const all = segments(backend, lengths)
        const hidden = model.call({
          ids: tensor(backend, ids, [ids.length], 'i32'),
          positions: tensor(
            backend,
            lengths.flatMap((length) => Array.from({ length }, (_, i) => i)),
            [ids.length],
            'i32',
          ),
          segments: all,
          kv: new PackedKv(all),
          maxPosition: all.max,
        })
        return model.lmHead.call(hidden).read()
      }),
    )
    const expected = await readValues(golden.tensors.get('logits')!)
    const norm = (values: ArrayLike<number>) => Math.hypot(...Array.from(values))
    const difference = norm(expected.map((x, i) => x - logits[i]!)) / norm(expected)
    // 8 significant bits in every weight and activation of 3 layers.
    expect(difference).toBeLessThan(0.02)
    expect(difference).toBeGreaterThan(0)
    model.release()
    expect(backend.memory().buffers).toBe(0)
    backend.close()
  })
})

describe('the kit finds', () => {
  const failing = async (definition: ModelDefinition): Promise<string[]> => {
    const found: string[] = []
    for (const { name, run } of modelConformance(definition, { golden: fixture('llama-tiny') })) {
      try {
        await run()
      } catch {
        found.push(name.slice('llama: '.length))
      }
    }
    return found
  }
  /** LLaMA with a model that is changed after it is made. */
  const changed = (change: (model: LlamaForCausalLM, config: LlamaConfig) => void): ModelDefinition => ({
    ...llama,
    build(config: LlamaConfig) {
      const model = new LlamaForCausalLM(config)
      change(model, config)
      return model
    },
  })
  /** Forward passes of `model` go through `pass`. */
  const forward = (
    model: LlamaForCausalLM,
    pass: (original: (input: ForwardInput) => Tensor, input: ForwardInput) => Tensor,
  ) => {
    const original = (input: ForwardInput) => model.model.call(input)
    Reflect.set(model, 'forward', (input: ForwardInput) => pass(original, input))
    Object.defineProperty(model, 'forward', { enumerable: false })
  }

  test.each<[string, ModelDefinition, string]>([
    [
      'another epsilon',
      { ...llama, parseConfig: (c) => ({ ...llama.parseConfig(c), eps: 1e-2 }) } as ModelDefinition,
      'logits and loss equal the golden ones',
    ],
    [
      'a shape that is not the model',
      { ...llama, shape: (c) => ({ ...llama.shape(c as LlamaConfig), kvHeads: 6 }) } as ModelDefinition,
      'shape() is what attention sees',
    ],
    [
      'a role of a module that is not there',
      { ...llama, roles: () => ({ ...llamaRoles, query: 'query' }) },
      'roles name the modules that play them',
    ],
    [
      'a name that leads nowhere',
      { ...llama, mapWeight: (n) => n.replace('q_proj', 'q') },
      'parameters have the names of checkpoints',
    ],
    [
      'a start that is not seeded',
      { ...llama, initialize: () => ({ kind: 'constant', value: 0.1 }) },
      'every parameter has a start',
    ],
    [
      'wanted rows that are ignored',
      changed((model) => forward(model, (original, input) => original({ ...input, outputRows: undefined }))),
      'wanted rows equal the same rows of all',
    ],
    [
      'a tensor that is kept',
      changed((model) =>
        forward(model, (original, input) => {
          keep(input.positions.reshape(-1))
          return original(input)
        }),
      ),
      'no buffer outlives a pass, a step or an error',
    ],
    [
      'positions that are ignored',
      changed((model) =>
        forward(model, (original, input) => {
          const n = input.positions.size
          const rows = Array.from({ length: n }, (_, i) => i)
          return original({ ...input, positions: tensor(input.positions.backend, rows, [n], 'i32') })
        }),
      ),
      'decoding with a cache equals one forward pass',
    ],
    [
      'attention beside the KvSource',
      changed((model) =>
        forward(model, (original, input) => original({ ...input, kv: { attend: (_layer, q) => q.alias() } })),
      ),
      'shape() is what attention sees',
    ],
  ])('%s', async (_, definition, expected) => {
    expect(await failing(llama)).toEqual([])
    expect(await failing(definition)).toContain(expected)
  })

  const rolesCase = (definition: ModelDefinition) =>
    modelConformance(definition, { golden: fixture('llama-tiny') }).find(({ name }) =>
      name.includes('roles'),
    )!

  test.each<[string, Partial<ModelDefinition>, string]>([
    [
      'two roles for one module',
      { roles: () => ({ ...llamaRoles, value: 'q_proj' }) },
      'self_attn.q_proj is both value and query',
    ],
    [
      'a role of another kind of module',
      { roles: () => ({ ...llamaRoles, attentionOutput: 'self_attn' }) },
      'attentionOutput: RotaryAttention is not a linear layer',
    ],
    [
      'a role of a module outside of the layers',
      { roles: () => ({ ...llamaRoles, feedForwardOut: 'lm_head' }) },
      'feedForwardOut names a module outside of the layers',
    ],
    [
      'a norm that is left out',
      { roles: () => ({ ...llamaRoles, norm: ['input_layernorm', 'norm'] }) },
      'model.layers.0.post_attention_layernorm is a norm without the role of one',
    ],
    [
      'a norm that is none',
      { roles: () => ({ ...llamaRoles, headNorm: ['mlp'] }) },
      'model.layers.0.mlp has the role of a norm and is none',
    ],
    [
      'an embedding that is not the embedding',
      { roles: () => ({ ...llamaRoles, embedding: 'lm_head', head: 'embed_tokens' }) },
      "embedding is lm_head, which is not the model's",
    ],
    ['an exception without targets', { targetRoles: { lora: [] } }, 'targetRoles.lora is empty'],
  ])('%s', async (_, change, message) => {
    await rolesCase(llama).run()
    await expect(rolesCase({ ...llama, ...change }).run()).rejects.toThrow(message)
  })
})
