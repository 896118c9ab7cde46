// @ts-check
// A tiny model of every family and variant that GGUF files are written of, with random weights that make its answers differ, and a small
// tokenizer of the family.
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PluginSession, writeSafetensors } from '@ift/core'

const fixtures = fileURLToPath(new URL('../../fixtures', import.meta.url))

/**
 * @typedef {object} Subject
 * @property {string} family As docs/export.md calls it.
 * @property {string} plugin Package of the family.
 * @property {string} config Folder of fixtures/ with a config.json.
 * @property {string} tokenizer Folder of fixtures/ with a tokenizer.
 * @property {Record<string, unknown>} [changes] Fields of config.json that differ.
 * @property {string} [template] Of answers; the checkpoint's own, or that of the family, when absent.
 */

const wide = {
  hidden_size: 64,
  intermediate_size: 96,
  num_attention_heads: 4,
  head_dim: 16,
  max_position_embeddings: 512,
}
const wideGlm = {
  hidden_size: 64,
  num_attention_heads: 4,
  kv_channels: 16,
  ffn_hidden_size: 96,
  seq_length: 512,
}

/** Those that no GGUF file is written of. @type {Record<string, Subject>} */
const refused = {
  moss: { family: 'MOSS', plugin: 'moss', config: 'moss/codegen', tokenizer: 'chat/moss' },
  chatglm1: {
    family: 'ChatGLM-6B',
    plugin: 'chatglm',
    config: 'chatglm/chatglm1',
    tokenizer: 'chat/chatglm1',
    changes: { bos_token_id: 8, eos_token_id: 9, gmask_token_id: 5, mask_token_id: 4 },
  },
}

/** @type {Record<string, Subject>} */
export const subjects = {
  llama: {
    family: 'LLaMA, LLaMA 2, TinyLlama, Mistral',
    plugin: 'llama',
    config: 'llama-variants/head-dim',
    tokenizer: 'family-tokenizers/llama',
    changes: { ...wide, num_key_value_heads: 2 },
  },
  'llama-head-dim': {
    family: 'LLaMA with heads of their own size',
    plugin: 'llama',
    config: 'llama-variants/head-dim',
    tokenizer: 'family-tokenizers/llama',
    changes: { ...wide, num_key_value_heads: 2, head_dim: 24 },
  },
  'llama-bias': {
    family: 'LLaMA with biases and a tied head',
    plugin: 'llama',
    config: 'llama-variants/tied-bias',
    tokenizer: 'family-tokenizers/llama',
    changes: wide,
  },
  llama3: {
    family: 'LLaMA 3.1 and later',
    plugin: 'llama',
    config: 'llama-variants/rope-llama3',
    tokenizer: 'tokenizers/byte-level',
    changes: { ...wide, num_key_value_heads: 2 },
  },
  'llama-linear': {
    family: 'LLaMA with linear scaling',
    plugin: 'llama',
    config: 'llama-variants/rope-linear',
    tokenizer: 'family-tokenizers/llama',
    changes: { ...wide, num_key_value_heads: 2 },
  },
  'llama-yarn': {
    family: 'LLaMA with YaRN',
    plugin: 'llama',
    config: 'llama-variants/rope-yarn',
    tokenizer: 'family-tokenizers/llama',
    changes: {
      ...wide,
      num_key_value_heads: 2,
      rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 128 },
    },
  },
  internlm: {
    family: 'InternLM',
    plugin: 'internlm',
    config: 'internlm/internlm',
    tokenizer: 'chat/internlm',
    changes: wide,
  },
  internlm2: {
    family: 'InternLM2, InternLM2.5',
    plugin: 'internlm',
    config: 'internlm/internlm2',
    tokenizer: 'chat/internlm2',
    changes: { ...wide, num_key_value_heads: 2 },
  },
  qwen2: {
    family: 'Qwen2, Qwen2.5',
    plugin: 'qwen',
    config: 'qwen/qwen2',
    tokenizer: 'family-tokenizers/qwen',
    changes: wide,
  },
  qwen3: {
    family: 'Qwen3',
    plugin: 'qwen',
    config: 'qwen/qwen3',
    tokenizer: 'family-tokenizers/qwen',
    changes: { ...wide, head_dim: 32 },
  },
  baichuan: {
    family: 'Baichuan 7B',
    plugin: 'baichuan',
    config: 'baichuan/rotary',
    tokenizer: 'chat/baichuan',
    // llama.cpp knows the 7B by its layers.
    changes: { ...wide, head_dim: null, num_hidden_layers: 32 },
  },
  'baichuan-13b': {
    family: 'Baichuan 13B',
    plugin: 'baichuan',
    config: 'baichuan/alibi',
    tokenizer: 'chat/baichuan',
    changes: {
      ...wide,
      head_dim: null,
      max_position_embeddings: null,
      model_max_length: 512,
      num_hidden_layers: 40,
    },
  },
  baichuan2: {
    family: 'Baichuan2 7B',
    plugin: 'baichuan',
    config: 'baichuan/rotary-norm-head',
    tokenizer: 'chat/baichuan2',
    changes: { ...wide, head_dim: null, num_hidden_layers: 32 },
  },
  bloom: {
    family: 'BLOOM, BLOOMZ',
    plugin: 'bloom',
    config: 'bloom/tiny',
    tokenizer: 'bloom/tiny',
    changes: { n_embed: 64, seq_length: 512 },
  },
  chatglm2: {
    family: 'ChatGLM2',
    plugin: 'chatglm',
    config: 'chatglm/chatglm2',
    tokenizer: 'chat/chatglm2',
    changes: wideGlm,
  },
  chatglm3: {
    family: 'ChatGLM3',
    plugin: 'chatglm',
    config: 'chatglm/chatglm3-long',
    tokenizer: 'chat/chatglm3',
    changes: { ...wideGlm, multi_query_group_num: 2 },
  },
  'glm4-9b': {
    family: "GLM-4-9B in ChatGLM's layout",
    plugin: 'chatglm',
    config: 'chatglm/chatglm2',
    tokenizer: 'chat/glm4',
    changes: wideGlm,
  },
  glm: {
    family: "GLM-4-9B in transformers' layout",
    plugin: 'chatglm',
    config: 'chatglm/glm',
    tokenizer: 'chat/glm4-hf',
    changes: wide,
  },
  'glm4-0414': {
    family: 'GLM-4-0414',
    plugin: 'chatglm',
    config: 'chatglm/glm4',
    tokenizer: 'chat/glm4-hf',
    changes: wide,
  },
  gemma: {
    family: 'Gemma 2B, 7B',
    plugin: 'gemma',
    config: 'gemma/gemma',
    tokenizer: 'family-tokenizers/gemma',
    changes: { ...wide, head_dim: 32 },
  },
  gemma3: {
    family: 'Gemma 3, text',
    plugin: 'gemma',
    config: 'checkpoint/gguf-families/gemma3',
    tokenizer: 'family-tokenizers/gemma',
    changes: { ...wide, head_dim: 32, query_pre_attn_scalar: 32, sliding_window: 512 },
  },
  phi3: {
    family: 'Phi-3-mini 4k',
    plugin: 'phi',
    config: 'phi/plain',
    tokenizer: 'family-tokenizers/phi',
    changes: {
      ...wide,
      num_key_value_heads: 4,
      head_dim: null,
      original_max_position_embeddings: 512,
      sliding_window: 500,
    },
  },
  'phi3-long': {
    family: 'Phi-3, Phi-3.5 128k, Phi-4-mini',
    plugin: 'phi',
    config: 'phi/long',
    tokenizer: 'family-tokenizers/phi',
    changes: {
      ...{ ...wide, head_dim: null, original_max_position_embeddings: 256 },
      rope_scaling: {
        type: 'longrope',
        short_factor: [1, 1.1, 1.2, 1.3, 1.4, 1.5],
        long_factor: [1, 2, 3, 4, 5, 6],
      },
    },
  },
}

/** Numbers from -1 to 1 with the distribution of a sum of three, by a text. @param {string} seed */
function numbers(seed) {
  let state = createHash('sha256').update(seed).digest().readUInt32LE() || 1
  const next = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 31 - 1
  }
  return () => (next() + next() + next()) / 3
}

/**
 * The family of a config.json.
 * @param {string} plugin
 * @param {Record<string, any>} json
 */
async function familyOf(plugin, json) {
  const { hooks } = new PluginSession(fixtures).use((await import(`@ift/model-${plugin}`)).plugin)
  const definition = hooks.model
    .names()
    .map((one) => hooks.model.find(one))
    .find((one) => one?.architectures.includes(json['architectures'][0]))
  if (!definition) throw new Error(`${plugin} has no ${json['architectures'][0]}`)
  return { hooks, definition }
}

/**
 * The tokenizer of a folder, as a session finds it.
 * @param {import('@ift/core').SessionHooks} hooks
 * @param {string} preferred
 * @param {string} dir
 */
async function tokenizerOf(hooks, preferred, dir) {
  for (const name of new Set(['tokenizer.json', preferred, ...hooks.tokenizer.names()])) {
    const definition = hooks.tokenizer.find(name)
    if (definition && (await definition.detect(dir))) return definition.load(dir)
  }
  throw new Error(`${dir} has no tokenizer`)
}

/** Rounded up to whole rows of 32, as published tables are padded. @param {number} tokens */
const rowsFor = (tokens) => Math.ceil(tokens / 32) * 32 + 32

/**
 * Makes the model of a subject in a folder.
 * @param {string} dir
 * @param {string} name
 * @param {Record<string, unknown>} [further] Fields of config.json besides.
 */
export async function makeTinyModel(dir, name, further = {}) {
  const { plugin, config, tokenizer, changes = {} } = /** @type {Subject} */ (subjects[name] ?? refused[name])
  mkdirSync(dir, { recursive: true })
  cpSync(join(fixtures, tokenizer), dir, {
    recursive: true,
    filter: (path) =>
      !/golden|safetensors|config\.json$/.test(path) || path.endsWith('tokenizer_config.json'),
  })
  const fields = {
    ...JSON.parse(readFileSync(join(fixtures, config, 'config.json'), 'utf8')),
    ...changes,
    ...further,
  }
  const json = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))
  const { hooks, definition } = await familyOf(plugin, json)
  const { vocabSize } = await tokenizerOf(hooks, definition.tokenizer, dir)
  json['padded_vocab_size' in json ? 'padded_vocab_size' : 'vocab_size'] = rowsFor(vocabSize)
  const parsed = definition.parseConfig(json)
  const tensors = [...definition.build(parsed).namedParameters()].map(([path, { shape }]) => {
    const next = numbers(`${name} ${path}`)
    const start = definition.initialize(path, parsed)
    const width = shape.at(-1) ?? 1
    // Large enough that answers depend on all of it; norms and biases around where they begin.
    const isTable =
      /embed|tok_embeddings/.test(path) &&
      !json.tie_word_embeddings &&
      plugin !== 'bloom' &&
      plugin !== 'gemma'
    const scale = start.kind === 'constant' ? 0.3 : isTable ? 1.5 : 3.5 / Math.sqrt(width)
    const middle = start.kind === 'constant' ? start.value : 0
    const values = Float32Array.from(
      { length: shape.reduce((a, b) => a * b, 1) },
      () => middle + scale * next(),
    )
    return {
      name: path,
      dtype: /** @type {const} */ ('F32'),
      shape,
      async *bytes() {
        yield new Uint8Array(values.buffer)
      },
    }
  })
  await writeSafetensors(join(dir, 'model.safetensors'), tensors)
  writeFileSync(join(dir, 'config.json'), `${JSON.stringify(json, null, 2)}\n`)
}

/**
 * Makes an adapter of LoRA, in PEFT's files, for the model that `makeTinyModel` made in a folder.
 * @param {string} dir
 * @param {string} name Of the subject.
 * @param {string} weights
 * @param {readonly string[]} targets Ends of the paths of modules.
 * @param {Record<string, unknown>} [settings] Fields of adapter_config.json besides.
 */
export async function makeTinyAdapter(dir, name, weights, targets, settings = {}) {
  mkdirSync(dir, { recursive: true })
  const json = JSON.parse(readFileSync(join(weights, 'config.json'), 'utf8'))
  const { plugin } = /** @type {Subject} */ (subjects[name])
  const { definition } = await familyOf(plugin, json)
  const r = 4
  const tensors = [...definition.build(definition.parseConfig(json)).namedParameters()].flatMap(
    ([path, { shape }]) => {
      const module = path.replace(/\.weight$/, '')
      if (!path.endsWith('.weight') || !targets.some((target) => module.endsWith(`.${target}`))) return []
      const [out, input] = /** @type {[number, number]} */ (shape)
      return /** @type {const} */ ([
        ['lora_A', [r, input]],
        ['lora_B', [out, r]],
      ]).map(([part, size]) => {
        const next = numbers(`${name} ${path} ${part}`)
        const values = Float32Array.from({ length: size[0] * size[1] }, () => 0.3 * next())
        return {
          name: `base_model.model.${module}.${part}.weight`,
          dtype: /** @type {const} */ ('F32'),
          shape: size,
          async *bytes() {
            yield new Uint8Array(values.buffer)
          },
        }
      })
    },
  )
  await writeSafetensors(join(dir, 'adapter_model.safetensors'), tensors)
  const config = {
    ...{ peft_type: 'LORA', task_type: 'CAUSAL_LM', base_model_name_or_path: weights, bias: 'none' },
    ...{ r, lora_alpha: 8, lora_dropout: 0, target_modules: targets, ...settings },
  }
  writeFileSync(join(dir, 'adapter_config.json'), JSON.stringify(config))
}
