import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tensor } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { writeTorchCheckpoint } from '../../testing/torch-file.js'
import { openAdapter, writeAdapter } from '../adapter.js'
import { fromMemory } from '../from-memory.fixture.js'
import { openSafetensors, writeSafetensors } from '../safetensors.js'
import { openCheckpoint } from '../source.js'

const fixtures = fileURLToPath(new URL('../../../../../fixtures/', import.meta.url))
let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'ift-adapter-formats-'))
})
afterAll(() => rm(root, { recursive: true }))

let folders = 0
/** A copy of a folder of the fixtures, with another adapter_config.json where one is given. */
async function copyOf(folder: string, config?: (json: Record<string, unknown>) => unknown): Promise<string> {
  const to = join(root, `copy-${folders++}`)
  await cp(join(fixtures, folder), to, { recursive: true })
  if (config) {
    const path = join(to, 'adapter_config.json')
    const json = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
    await writeFile(path, JSON.stringify(config(json)))
  }
  return to
}

test("AdapterHub's files, pickled and as safetensors", async () => {
  const pickled = await openAdapter(join(fixtures, 'peft-adapters/pfeiffer'))
  expect(pickled.config).toMatchObject({
    peft_type: 'SEQ_BN',
    base_model_name_or_path: 'llama-tiny',
    name: 'task',
    reduction_factor: 16,
    original_ln_before: true,
    inv_adapter: null,
  })
  expect(pickled.path).toMatch(/pytorch_adapter\.bin$/)
  expect(pickled.files.map((path) => path.slice(fixtures.length))).toEqual([
    'peft-adapters/pfeiffer/pytorch_adapter.bin',
    'peft-adapters/pfeiffer/adapter_config.json',
  ])
  expect(pickled.shape('model.layers.0.output_adapters.adapters.task.adapter_down.0.weight')).toEqual([3, 48])
  const safe = await openAdapter(join(fixtures, 'peft-adapters/houlsby'))
  expect(safe.path).toMatch(/adapter\.safetensors$/)
  expect(safe.config['peft_type']).toBe('DOUBLE_SEQ_BN')
  expect((await openAdapter(join(fixtures, 'peft-adapters/parallel'))).config['peft_type']).toBe('PAR_BN')
})

test('older files have the names and the activation of today, and no invertible adapter that is not there', async () => {
  const older = await openAdapter(join(fixtures, 'peft-adapters/older'))
  expect(older.config).toMatchObject({
    peft_type: 'DOUBLE_SEQ_BN',
    non_linearity: 'gelu_new',
    inv_adapter: null,
    scaling: 1,
    init_weights: 'bert',
  })
  const today = await openAdapter(join(fixtures, 'peft-adapters/houlsby'))
  expect([...older.names()].sort()).toEqual([...today.names()].sort())
})

test('a name may stand for the fields', async () => {
  const named = async (config: string) =>
    (await openAdapter(await copyOf('peft-adapters/pfeiffer', (json) => ({ ...json, config })))).config
  expect(await named('pfeiffer')).toMatchObject({ peft_type: 'SEQ_BN', reduction_factor: 16 })
  expect(await named('houlsby')).toMatchObject({ peft_type: 'DOUBLE_SEQ_BN', non_linearity: 'swish' })
  expect(await named('scaled_parallel')).toMatchObject({ peft_type: 'PAR_BN', scaling: 'learned' })
  await expect(named('pfeifer')).rejects.toMatchObject({
    code: 'IFT_ADAPTER_CONFIG',
    message: expect.stringContaining('config is "pfeifer", expected seq_bn, pfeiffer') as string,
  })
})

test("what is read in AdapterHub's form is written in it", async () => {
  const backend = referenceBackend()
  const source = await openAdapter(join(fixtures, 'peft-adapters/norms'))
  const tensors = new Map<string, ReturnType<typeof tensor>>()
  for (const name of source.names())
    tensors.set(name, tensor(backend, await source.read(name), source.shape(name)))
  const to = join(root, 'written')
  await writeAdapter(to, { format: 'adapter-hub', config: source.config, tensors })
  const json = async (folder: string) =>
    JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8')) as unknown
  expect(await json(to)).toEqual(await json(join(fixtures, 'peft-adapters/norms')))
  const again = await openAdapter(to)
  expect(again.path).toBe(join(to, 'adapter.safetensors'))
  expect(again.config).toEqual(source.config)
  // An adapter of another format in its place leaves no file of this one.
  await writeAdapter(to, { config: { peft_type: 'LORA' }, tensors })
  expect((await openAdapter(to)).path).toBe(join(to, 'adapter_model.safetensors'))
  expect((await openAdapter(to)).config).toEqual({ peft_type: 'LORA' })
  for (const t of tensors.values()) t.release()
  backend.close()
})

test.each<[string, (json: Record<string, unknown>) => unknown, string]>([
  ['neither kind', () => ({ r: 8 }), 'neither "peft_type", as PEFT writes, nor "config"'],
  ['another method', (json) => ({ ...json, config: { architecture: 'lora', r: 8 } }), '"lora" of AdapterHub'],
  ['several methods', (json) => ({ ...json, config: { architecture: 'union' } }), '"union" of AdapterHub'],
  [
    'half of the fields',
    (json) => ({ ...json, config: { mh_adapter: true, output_adapter: true } }),
    'config has no reduction_factor, which every bottleneck adapter of AdapterHub has',
  ],
  [
    'no fields',
    (json) => ({ ...json, config: [1] }),
    'config expected the name or the fields of an adapter, found [1]',
  ],
])('a config of %s', async (_, change, message) => {
  const folder = await copyOf('peft-adapters/pfeiffer', change)
  await expect(openAdapter(folder)).rejects.toMatchObject({
    code: 'IFT_ADAPTER_CONFIG',
    message: expect.stringContaining(message) as string,
  })
})

test('settings of one program and tensors of another', async () => {
  const folder = await copyOf('peft-adapters/pfeiffer')
  await rename(join(folder, 'pytorch_adapter.bin'), join(folder, 'adapter_model.bin'))
  await expect(openAdapter(folder)).rejects.toMatchObject({
    code: 'IFT_ADAPTER_NOT_FOUND',
    message: expect.stringContaining(
      "its settings are AdapterHub's, and it has no adapter.safetensors or pytorch_adapter.bin. Found: adapter_config.json, adapter_model.bin, golden.safetensors.",
    ) as string,
    hint: expect.stringContaining(
      'adapter_model.safetensors or adapter_model.bin with adapter_config.json (PEFT)',
    ) as string,
  })
})

test('a run, a whole model and an empty folder are no adapters', async () => {
  const run = join(root, 'run')
  await mkdir(join(run, 'adapter'), { recursive: true })
  await expect(openAdapter(run)).rejects.toMatchObject({
    code: 'IFT_ADAPTER_NOT_FOUND',
    hint: expect.stringContaining(`There is a folder ${join(run, 'adapter')}`) as string,
  })
  await expect(openAdapter(join(fixtures, 'llama-tiny'))).rejects.toMatchObject({
    code: 'IFT_ADAPTER_NOT_FOUND',
    hint: expect.stringContaining('It looks like a whole model') as string,
  })
  // A pickle with tensors of a model beside those of a prefix is a model.
  const whole = await prefixFolder({ 'transformer.word_embeddings.weight': [3, 4] }, { pre_seq_len: 2 })
  await expect(openAdapter(whole)).rejects.toMatchObject({
    code: 'IFT_ADAPTER_NOT_FOUND',
    hint: expect.stringContaining('It looks like a whole model') as string,
  })
})

/** A folder as ChatGLM's trainer of prefixes leaves it: 3 layers, width 4. */
async function prefixFolder(
  shapes: Readonly<Record<string, readonly number[]>>,
  config: object,
): Promise<string> {
  const folder = join(root, `prefix-${folders++}`)
  await mkdir(folder)
  const tensors = Object.entries(shapes).map(([name, shape]) => {
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i)
    return fromMemory(name, 'F32', shape, new Uint8Array(values.buffer))
  })
  const path = join(root, 'tensors.safetensors')
  await writeSafetensors(path, tensors)
  await writeTorchCheckpoint(folder, (await openSafetensors(path)).tensors)
  const known = { num_layers: 3, num_attention_heads: 2, hidden_size: 4, _name_or_path: 'THUDM/chatglm-6b' }
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...known, ...config }))
  return folder
}

const encoder = (parts: Readonly<Record<string, readonly number[]>>) =>
  Object.fromEntries(
    Object.entries(parts).map(([name, shape]) => [`transformer.prefix_encoder.${name}`, shape]),
  )

const projected = encoder({
  'embedding.weight': [2, 4],
  'trans.0.weight': [5, 4],
  'trans.0.bias': [5],
  'trans.2.weight': [24, 5],
  'trans.2.bias': [24],
})

test("a prefix of ChatGLM's P-tuning v2 is one of PEFT's, whose positions begin at 0", async () => {
  const folder = await prefixFolder(encoder({ 'embedding.weight': [2, 24] }), {
    pre_seq_len: 2,
    prefix_projection: false,
  })
  const plain = await openAdapter(folder)
  expect(plain.config).toEqual({
    base_model_name_or_path: 'THUDM/chatglm-6b',
    inference_mode: true,
    num_attention_heads: 2,
    num_layers: 3,
    num_transformer_submodules: 1,
    num_virtual_tokens: 2,
    peft_type: 'PREFIX_TUNING',
    positions_from_zero: true,
    prefix_projection: false,
    task_type: 'CAUSAL_LM',
    token_dim: 4,
  })
  expect([...plain.names()]).toEqual(['prompt_embeddings'])
  expect([...(await plain.read('prompt_embeddings'))].slice(0, 3)).toEqual([0, 1, 2])
  await expect(openCheckpoint(folder)).rejects.toMatchObject({
    code: 'IFT_FILE_UNSUPPORTED',
    hint: expect.stringContaining('this folder as the adapter') as string,
  })
})

test('its projection comes under the names of PEFT, heads of groups are counted', async () => {
  const folder = await prefixFolder(projected, {
    pre_seq_len: 2,
    prefix_projection: true,
    multi_query_attention: true,
    multi_query_group_num: 1,
  })
  const opened = await openAdapter(folder)
  expect(opened.config).toMatchObject({
    encoder_hidden_size: 5,
    num_attention_heads: 1,
    prefix_projection: true,
    token_dim: 4,
  })
  expect(Object.fromEntries([...opened.names()].map((name) => [name, opened.shape(name)]))).toEqual({
    'prompt_encoder.embedding.weight': [2, 4],
    'prompt_encoder.transform.0.weight': [5, 4],
    'prompt_encoder.transform.0.bias': [5],
    'prompt_encoder.transform.2.weight': [24, 5],
    'prompt_encoder.transform.2.bias': [24],
  })
})

const { 'transformer.prefix_encoder.trans.2.bias': _gone, ...incomplete } = projected

test.each<[string, Record<string, readonly number[]>, object, string, string]>([
  [
    'a projection that config.json does not know',
    projected,
    { pre_seq_len: 2 },
    'IFT_ADAPTER_UNEXPECTED',
    'does not belong to a prefix encoder with prefix_projection: false',
  ],
  [
    'a part that is missing',
    incomplete,
    { pre_seq_len: 2, prefix_projection: true },
    'IFT_ADAPTER_MISSING',
    'tensor "transformer.prefix_encoder.trans.2.bias" is missing',
  ],
  [
    'another length',
    encoder({ 'embedding.weight': [2, 24] }),
    { pre_seq_len: 3 },
    'IFT_ADAPTER_CONFIG',
    'pre_seq_len is 3, and the prefix is [2, 24]',
  ],
  [
    'other layers',
    encoder({ 'embedding.weight': [2, 24] }),
    { pre_seq_len: 2, num_layers: 5 },
    'IFT_ADAPTER_CONFIG',
    'num_layers is 5, and',
  ],
  [
    'no length',
    encoder({ 'embedding.weight': [2, 24] }),
    {},
    'IFT_ADAPTER_CONFIG',
    'pre_seq_len expected a positive integer, found undefined',
  ],
])('a prefix with %s', async (_, shapes, config, code, message) => {
  await expect(openAdapter(await prefixFolder(shapes, config))).rejects.toMatchObject({
    code,
    message: expect.stringContaining(message) as string,
  })
})
