import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  openCheckpoint,
  openSafetensors,
  openTorch,
  readValues,
  type IftPlugin,
  type Message,
} from '@ift/core'
import { exportModel, plugin as exports, type ExportResult } from '@ift/export'
import { makeTinyAdapter, makeTinyModel } from '../../scripts/export/tiny-models.mjs'
import { executeGo } from '../fixture/go-template.js'
import { readObject } from '../fixture/files.js'
import { pluginsOf } from '../fixture/models.js'

let dir: string
let plugins: IftPlugin[]
const at = (...path: string[]) => join(dir, ...path)
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ift-formats-'))
  plugins = [...(await pluginsOf(/^(model-|peft-lora$|kernels-cpu$)/)), exports]
  await makeTinyModel(at('llama'), 'llama')
  await makeTinyAdapter(at('lora'), 'llama', at('llama'), ['q_proj', 'k_proj', 'v_proj', 'down_proj'])
})
afterAll(() => {
  rmSync(dir, { recursive: true })
})

const notes: string[] = []
const run = (
  format: string,
  out: string,
  config: Record<string, unknown>,
  options: Record<string, unknown> = {},
  overwrite = false,
): Promise<ExportResult> =>
  exportModel(
    { cwd: dir, config: { device: 'cpu', threads: 1, ...config }, plugins },
    { format, out, overwrite, options },
    (note) => notes.push(note),
  )

const valuesOf = async (path: string, name: string) => (await openCheckpoint(path)).read(name)

describe('gguf-adapter', () => {
  test.each<[string, string[], Record<string, unknown>]>([
    ['llama', ['q_proj', 'k_proj', 'v_proj', 'down_proj'], {}],
    ['llama-bias', ['q_proj', 'k_proj'], { use_rslora: true }],
    ['llama-head-dim', ['q_proj', 'o_proj'], { alpha_pattern: { o_proj: 2 } }],
    ['internlm2', ['wqkv', 'w1'], {}],
    ['baichuan2', ['W_pack'], {}],
    ['bloom', ['query_key_value', 'dense_4h_to_h'], {}],
    ['chatglm2', ['query_key_value', 'dense_h_to_4h'], {}],
    ['phi3', ['qkv_proj', 'gate_up_proj'], {}],
    ['gemma', ['q_proj', 'up_proj'], {}],
  ])('%s: base and adapter are the merged model', async (name, targets, settings) => {
    const weights = at(`a-${name}`)
    const adapter = at(`a-${name}-lora`)
    await makeTinyModel(weights, name)
    await makeTinyAdapter(adapter, name, weights, targets, settings)
    await run('gguf', `a-${name}.gguf`, { weights }, { type: 'f32' })
    await run('gguf', `a-${name}-merged.gguf`, { adapter }, { type: 'f32' })
    await run('gguf-adapter', `a-${name}-lora.gguf`, { adapter })
    const files = [`a-${name}.gguf`, `a-${name}-merged.gguf`, `a-${name}-lora.gguf`]
    const [base, merged, lora] = (await Promise.all(files.map((file) => openCheckpoint(at(file))))) as [
      Awaited<ReturnType<typeof openCheckpoint>>,
      Awaited<ReturnType<typeof openCheckpoint>>,
      Awaited<ReturnType<typeof openCheckpoint>>,
    ]
    expect(lora.metadata.get('general.type')).toBe('adapter')
    expect(lora.metadata.get('general.architecture')).toBe(base.metadata.get('general.architecture'))
    const alpha = lora.metadata.get('adapter.lora.alpha') as number
    let adapted = 0
    for (const tensor of base.names()) {
      const [before, after] = [await base.read(tensor), await merged.read(tensor)]
      const expected = Float64Array.from(before)
      if (lora.has(`${tensor}.lora_a`)) {
        adapted++
        const [a, b] = [await lora.read(`${tensor}.lora_a`), await lora.read(`${tensor}.lora_b`)]
        const [r, input] = lora.info(`${tensor}.lora_a`).shape as [number, number]
        expect(lora.info(`${tensor}.lora_b`).shape).toEqual([before.length / input, r])
        for (let i = 0; i < before.length / input; i++)
          for (let k = 0; k < r; k++)
            for (let j = 0; j < input; j++)
              expected[i * input + j]! += (alpha / r) * b[i * r + k]! * a[k * input + j]!
      }
      for (const [i, value] of after.entries())
        expect(Math.abs(value - expected[i]!), tensor).toBeLessThan(2e-6)
    }
    expect(2 * adapted).toBe([...lora.names()].length)
    expect(adapted).toBeGreaterThan(0)
  })

  test.each<[string, Record<string, unknown>]>([
    ['DoRA', { use_dora: true }],
    ['modules_to_save', { modules_to_save: ['lm_head'] }],
  ])('%s is refused with the way out', async (what, settings) => {
    const adapter = at(`refused-${what}`)
    await makeTinyAdapter(adapter, 'llama', at('llama'), ['q_proj'], settings)
    const { writeSafetensors, fromTensor: _ } = await import('@ift/core')
    const source = await openCheckpoint(join(adapter, 'adapter_model.safetensors'))
    const held = await Promise.all(
      [...source.names()].map(
        async (name) => [name, source.info(name).shape, await source.read(name)] as const,
      ),
    )
    const [, shape] = held.find(([name]) => name.endsWith('lora_B.weight'))!
    const extra =
      what === 'DoRA'
        ? held
            .filter(([name]) => name.endsWith('lora_B.weight'))
            .map(
              ([name]) =>
                [
                  name.replace('lora_B.weight', 'lora_magnitude_vector'),
                  [shape[0]!],
                  new Float32Array(shape[0]!).fill(1),
                ] as const,
            )
        : [
            [
              'base_model.model.lm_head.weight',
              (await openCheckpoint(at('llama'))).info('lm_head.weight').shape,
              await valuesOf(at('llama'), 'lm_head.weight'),
            ] as const,
          ]
    await writeSafetensors(
      join(adapter, 'adapter_model.safetensors'),
      [...held, ...extra].map(([name, size, values]) => ({
        name,
        dtype: 'F32' as const,
        shape: size,
        async *bytes() {
          yield await Promise.resolve(new Uint8Array(values.buffer))
        },
      })),
    )
    for (const format of ['gguf-adapter', 'mlx-adapter', 'vllm'])
      await expect(run(format, 'refused', { adapter })).rejects.toMatchObject({
        code: 'IFT_EXPORT_UNSUPPORTED',
        message: expect.stringContaining(what) as string,
        hint: expect.stringMatching(/npx ift export (gguf|hf)/) as string,
      })
    expect(existsSync(at('refused'))).toBe(false)
  })

  test('no adapter, or a head that is the embedding', async () => {
    await expect(run('gguf-adapter', 'x.gguf', { weights: at('llama') })).rejects.toMatchObject({
      code: 'IFT_USAGE',
    })
  })
})

test('hf: shards of a size, the template as transformers applies it, the adapter folded in', async () => {
  const { difference } = await run(
    'hf',
    'hf',
    { adapter: at('lora'), template: 'alpaca' },
    { maxShardSize: '200KB' },
  )
  expect(difference!.fits).toBe(true)
  const files = readdirSync(at('hf'))
  expect(files.filter((name) => /^model-.*safetensors$/.test(name)).length).toBeGreaterThan(1)
  const index = readObject(at('hf/model.safetensors.index.json'))
  expect((index['metadata'] as { total_size: number }).total_size).toBeGreaterThan(400_000)
  expect(readFileSync(at('hf/chat_template.jinja'), 'utf8')).toMatch(/^\{\{ bos_token \}\}.*### Instruction/s)
  await expect(run('hf', 'hf2', { weights: at('llama') }, { maxShardSize: '0GB' })).rejects.toMatchObject({
    code: 'IFT_USAGE',
  })
  await expect(run('hf', 'llama', { weights: at('llama') }, {}, true)).rejects.toMatchObject({
    code: 'IFT_FOLDER_IN_USE',
  })
})

test("meta: names, rows and numbers of Meta's own files", async () => {
  await run('meta', 'meta', { weights: at('llama') }, { type: 'f32' })
  await run('gguf', 'meta.gguf', { weights: at('llama') }, { type: 'f32' })
  const { tensors } = await openTorch(at('meta/consolidated.00.pth'))
  expect([...tensors.keys()]).toHaveLength(2 * 9 + 3)
  const pairs = [
    ['layers.1.attention.wq.weight', 'blk.1.attn_q.weight'],
    ['layers.0.attention.wk.weight', 'blk.0.attn_k.weight'],
    ['layers.0.feed_forward.w2.weight', 'blk.0.ffn_down.weight'],
    ['norm.weight', 'output_norm.weight'],
    ['output.weight', 'output.weight'],
  ] as const
  for (const [own, gguf] of pairs)
    expect(await readValues(tensors.get(own)!)).toEqual(await valuesOf(at('meta.gguf'), gguf))
  const params = readObject(at('meta/params.json'))
  expect(params).toMatchObject({
    dim: 64,
    n_layers: 2,
    n_heads: 4,
    n_kv_heads: 2,
    norm_eps: 1e-6,
    rope_theta: 500000,
  })
  const { multiple_of: size, ffn_dim_multiplier: factor = 1 } = params as {
    multiple_of: number
    ffn_dim_multiplier?: number
  }
  expect(size * Math.ceil(Math.trunc(factor * Math.trunc((8 * 64) / 3)) / size)).toBe(96)
  await makeTinyModel(at('qwen'), 'qwen2')
  await expect(run('meta', 'meta2', { weights: at('qwen') })).rejects.toMatchObject({
    code: 'IFT_EXPORT_UNSUPPORTED',
  })
})

test('mlx-adapter: factors the other way round, one rank and scale', async () => {
  await run('mlx-adapter', 'mlx', { adapter: at('lora') })
  const { tensors } = await openSafetensors(at('mlx/adapters.safetensors'))
  const config = readObject(at('mlx/adapter_config.json'))
  expect(config).toMatchObject({
    fine_tune_type: 'lora',
    num_layers: 2,
    lora_parameters: {
      rank: 4,
      scale: 2,
      keys: ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'mlp.down_proj'],
    },
  })
  const own = await openSafetensors(at('lora/adapter_model.safetensors'))
  const name = 'model.layers.1.self_attn.k_proj'
  for (const [mine, theirs] of [
    ['lora_a', 'lora_A'],
    ['lora_b', 'lora_B'],
  ] as const) {
    const found = tensors.get(`${name}.${mine}`)!
    const expected = own.tensors.get(`base_model.model.${name}.${theirs}.weight`)!
    expect(found.shape).toEqual(expected.shape.toReversed())
    const [a, b] = [await readValues(found), await readValues(expected)]
    const [rows, cols] = found.shape as [number, number]
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < cols; j++) expect(a[i * cols + j]).toBe(b[j * rows + i])
  }
})

test('vllm: files of PEFT within its limits, and the command', async () => {
  const { difference, next } = await run('vllm', 'vllm', { adapter: at('lora') })
  expect(difference!.fits).toBe(true)
  expect(next).toMatch(/^vllm serve \S+ --enable-lora --max-lora-rank 8 --lora-modules lora=/)
  await expect(run('vllm', 'vllm2', { adapter: at('lora') }, { maxLoraRank: 2 })).rejects.toThrow(
    /rank 4, and vLLM loads 2/,
  )
})

describe('ollama', () => {
  const conversation: Message[] = [
    { role: 'user', content: 'What is 2 + 2?' },
    { role: 'assistant', content: '4' },
    { role: 'user', content: 'And 3 + 3?' },
  ]
  const templateOf = (text: string) => /TEMPLATE """(.*?)"""/s.exec(text)![1]!
  const textOf = (source: string) =>
    executeGo(source, {
      Messages: conversation.map(({ role, content }) => ({ Role: role, Content: content })),
    })

  test('a model, with the template that it was trained with, stops and settings', async () => {
    writeFileSync(
      at('llama/generation_config.json'),
      JSON.stringify({ temperature: 0.6, top_p: 0.9, eos_token_id: 2 }),
    )
    writeFileSync(at('llama/LICENSE'), 'Anybody may use it.\n')
    await run('ollama', 'ollama', { adapter: at('lora'), template: 'alpaca' })
    const text = readFileSync(at('ollama/Modelfile'), 'utf8')
    expect(text).toMatch(/^FROM \.\/model\.gguf\n/)
    expect(text).toContain(
      'PARAMETER stop "</s>"\nPARAMETER temperature 0.6\nPARAMETER top_p 0.9\nPARAMETER num_ctx 512\n',
    )
    expect(text).toContain('LICENSE """Anybody may use it.\n"""')
    expect(textOf(templateOf(text))).toMatch(
      /^Below is an multi-round .*### Human: And 3 \+ 3\?\n<\/s>### Assistant:$/s,
    )
    expect(existsSync(at('ollama/model.gguf'))).toBe(true)
  })

  test('an adapter onto a model of its library', async () => {
    await run('ollama', 'ollama-lora', { adapter: at('lora'), template: 'llama2' }, { base: 'llama2' })
    const text = readFileSync(at('ollama-lora/Modelfile'), 'utf8')
    expect(text).toMatch(/^FROM llama2\nADAPTER \.\/adapter\.gguf\n/)
    // The tokenizer puts the first bos in front.
    expect(textOf(templateOf(text))).toBe('[INST] What is 2 + 2? [/INST] 4 </s><s>[INST] And 3 + 3? [/INST]')
  })

  test("a checkpoint's own template that one of ours writes too", async () => {
    await makeTinyModel(at('qwen-chat'), 'qwen2')
    const jinja =
      "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    writeFileSync(at('qwen-chat/chat_template.jinja'), jinja)
    await run('ollama', 'ollama-qwen', { weights: at('qwen-chat') })
    const text = readFileSync(at('ollama-qwen/Modelfile'), 'utf8')
    expect(textOf(templateOf(text))).toMatch(
      /^<\|im_start\|>user\nWhat is 2 \+ 2\?<\|im_end\|>\n.*<\|im_start\|>assistant\n$/s,
    )
    expect(text).toContain('PARAMETER stop "<|im_end|>"')
  })
})
