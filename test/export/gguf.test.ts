import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openGguf, type IftPlugin } from '@ift/core'
import { exportModel, plugin as exports } from '@ift/export'
import { fromGgufMetadata, loadTokenizer } from '@ift/tokenizers'
import { makeTinyModel, subjects } from '../../scripts/export/tiny-models.mjs'
import { fixture, readJson } from '../fixture/files.js'
import { pluginsOf } from '../fixture/models.js'

const lines = readJson(fixture('real-tokenizers/lines.json')) as string[]

let dir: string
let plugins: IftPlugin[]
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ift-export-'))
  plugins = [...(await pluginsOf(/^(model-|kernels-cpu$)/)), exports]
})
afterAll(() => {
  rmSync(dir, { recursive: true })
})

const exportTo = (
  weights: string,
  out: string,
  type: string,
  further: Record<string, unknown> = {},
  overwrite = false,
) =>
  exportModel(
    { cwd: dir, config: { weights, device: 'cpu', threads: 1, ...further }, plugins },
    { format: 'gguf', out, overwrite, options: { type } },
  )

describe.each(Object.keys(subjects))('%s', (name) => {
  test('a file in f32 computes what the model does', async () => {
    const weights = join(dir, name)
    await makeTinyModel(weights, name)
    const { difference, probe } = await exportTo(weights, `${name}.gguf`, 'f32')
    const largest = probe.logits.reduce((most, one) => Math.max(most, Math.abs(one)), 0)
    expect(difference!.logit / largest).toBeLessThan(1e-5)
  })

  test('its tokenizer gives the same ids', async () => {
    const { metadata } = await openGguf(join(dir, `${name}.gguf`))
    const found = fromGgufMetadata(metadata)
    const { config: _config, tokenizer } = subjects[name]!
    const expected = await loadTokenizer(fixture(tokenizer)).catch(() => null)
    // That of ChatGLM is another program's.
    if (expected === null || tokenizer.includes('chatglm')) return
    // What a tokenizer makes of a text before, no GGUF file says.
    const texts = lines.filter((line) => line === line.normalize('NFC'))
    expect(texts.length).toBeGreaterThan(200)
    const wanted = await expected.encodeBatch(texts)
    for (const [i, { ids }] of (await found.encodeBatch(texts)).entries())
      expect([...ids], JSON.stringify(texts[i])).toEqual([...wanted[i]!.ids])
  })
})

describe('types', () => {
  const tiny = { hidden_size: 256, intermediate_size: 256, num_attention_heads: 4, num_key_value_heads: 2 }
  const typesIn = async (path: string) =>
    new Map([...(await openGguf(path)).tensors].map(([name, { dtype }]) => [name, dtype]))

  test('every type is near to the model, the larger the nearer', async () => {
    const weights = join(dir, 'types')
    await makeTinyModel(weights, 'llama', { ...tiny, head_dim: 64, num_hidden_layers: 2 })
    const kl = new Map<string, number>()
    for (const type of ['f16', 'bf16', 'q8_0', 'q6_k', 'q5_0', 'q4_k_m', 'q4_0']) {
      const { difference } = await exportTo(weights, `types-${type}.gguf`, type)
      expect(difference!.fits, type).toBe(true)
      kl.set(type, difference!.meanKl)
    }
    expect(kl.get('f16')!).toBeLessThan(1e-4)
    const order = ['q8_0', 'q6_k', 'q5_0', 'q4_0'].map((type) => kl.get(type)!)
    expect(order).toEqual([...order].sort((a, b) => a - b))
    expect(kl.get('q4_k_m')!).toBeLessThan(kl.get('q4_0')!)
  })

  test('what the logits come from has more bits, and vectors are f32', async () => {
    const types = await typesIn(join(dir, 'types-q4_k_m.gguf'))
    expect(types.get('output.weight')).toBe('Q6_K')
    expect(types.get('token_embd.weight')).toBe('Q4_K')
    expect(types.get('blk.0.attn_norm.weight')).toBe('F32')
  })

  test('blocks that do not fit into rows are replaced, by name', async () => {
    const notes: string[] = []
    const out = join(dir, 'narrow.gguf')
    await exportModel(
      { cwd: dir, config: { weights: join(dir, 'llama'), device: 'cpu' }, plugins },
      { format: 'gguf', out, options: { type: 'q4_k_m' } },
      (note) => notes.push(note),
    )
    const types = await typesIn(out)
    expect(types.get('blk.0.attn_q.weight')).toBe('Q5_0')
    expect(types.get('output.weight')).toBe('Q8_0')
    expect(notes.join('\n')).toMatch(/Q5_0 in place of Q4_K, .*token_embd\.weight/)
  })
})

describe('what no file can hold is refused with the way out', () => {
  const refuse = async (name: string, further: Record<string, unknown>, message: RegExp) => {
    const weights = join(dir, `refused-${name}-${Object.keys(further).join('-')}`)
    await makeTinyModel(weights, name, further)
    await expect(exportTo(weights, 'refused.gguf', 'f16')).rejects.toMatchObject({
      code: 'IFT_EXPORT_UNSUPPORTED',
      message: expect.stringMatching(message) as string,
      hint: expect.stringContaining('npx ift serve') as string,
    })
    expect(existsSync(join(dir, 'refused.gguf'))).toBe(false)
  }
  test.each<[string, Record<string, unknown>, RegExp]>([
    [
      'bloom',
      { apply_residual_connection_post_layernorm: true },
      /apply_residual_connection_post_layernorm true/,
    ],
    ['baichuan', { num_hidden_layers: 2 }, /num_hidden_layers 2, and llama\.cpp knows Baichuan .* 32 layers/],
    ['gemma', { attention_bias: true }, /attention_bias true/],
    ['gemma3', { query_pre_attn_scalar: 12 }, /query_pre_attn_scalar 12, and llama\.cpp takes 32/],
    ['gemma3', { sliding_window_pattern: 3 }, /every 6th layer/],
    [
      'llama-yarn',
      { rope_scaling: { rope_type: 'yarn', factor: 4, beta_fast: 2, original_max_position_embeddings: 64 } },
      /beta_fast/,
    ],
    ['moss', {}, /computes no model of the family "moss"/],
    ['chatglm1', {}, /position_encoding_2d true/],
  ])('%s %j', refuse)
})

test('an input is never written over', async () => {
  const weights = join(dir, 'llama.gguf')
  const written = readFileSync(weights)
  await expect(exportTo(weights, 'llama.gguf', 'q8_0')).rejects.toMatchObject({
    code: 'IFT_USAGE',
    message: `${weights} is there already, and is not replaced.`,
  })
  await expect(exportTo(weights, 'llama.gguf', 'q8_0', {}, true)).rejects.toMatchObject({
    code: 'IFT_FOLDER_IN_USE',
  })
  expect(readFileSync(weights).equals(written)).toBe(true)
  await expect(exportTo(weights, 'llama.safetensors', 'q8_0')).rejects.toMatchObject({ code: 'IFT_USAGE' })
  await expect(exportTo(weights, 'other.gguf', 'q3_x')).rejects.toMatchObject({ code: 'IFT_USAGE' })
})

test('a GGUF file is exported as another type', async () => {
  const { difference } = await exportTo(join(dir, 'qwen2.gguf'), 'again.gguf', 'f32')
  expect(difference!.logit).toBe(0)
  const [first, again] = [await openGguf(join(dir, 'qwen2.gguf')), await openGguf(join(dir, 'again.gguf'))]
  const named = (metadata: ReadonlyMap<string, unknown>) =>
    [...metadata].filter(([key]) => !/^general\.(name|basename)/.test(key))
  expect(named(again.metadata)).toEqual(named(first.metadata))
})
