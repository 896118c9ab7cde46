// @ts-check
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
  cpSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** @typedef {{ vocab_size: number, hidden_size: number, intermediate_size: number, num_hidden_layers: number, num_attention_heads: number, num_key_value_heads: number, tie_word_embeddings: boolean, rope_theta: number }} Shape */

/** Shapes of published models. The same as in peers/torch_peft.py. @type {Record<string, Shape>} */
export const shapes = {
  'smollm2-135m': {
    vocab_size: 49152,
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    tie_word_embeddings: true,
    rope_theta: 100000,
  },
  'tinyllama-1.1b': {
    vocab_size: 32000,
    hidden_size: 2048,
    intermediate_size: 5632,
    num_hidden_layers: 22,
    num_attention_heads: 32,
    num_key_value_heads: 4,
    tie_word_embeddings: false,
    rope_theta: 10000,
  },
  'llama-7b': {
    vocab_size: 32000,
    hidden_size: 4096,
    intermediate_size: 11008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 32,
    tie_word_embeddings: false,
    rope_theta: 10000,
  },
  // For dry runs.
  tiny: {
    vocab_size: 2048,
    hidden_size: 128,
    intermediate_size: 256,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    tie_word_embeddings: false,
    rope_theta: 10000,
  },
  // For measurements of data, with the vocabulary of SmolLM2.
  'tiny-49k': {
    vocab_size: 49152,
    hidden_size: 128,
    intermediate_size: 256,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    tie_word_embeddings: true,
    rope_theta: 10000,
  },
}

/** Longest measured sequence; a length beyond the model's positions is cut. */
const longest = 4096

/** @param {Shape} shape @returns {[name: string, shape: number[]][]} tensors of a LLaMA checkpoint, [out, in] */
const tensors = (shape) => {
  const { hidden_size: hidden, intermediate_size: inner, vocab_size: vocab } = shape
  const kv = (hidden / shape.num_attention_heads) * shape.num_key_value_heads
  /** @type {[string, number[]][]} */
  const list = [['model.embed_tokens.weight', [vocab, hidden]]]
  for (let layer = 0; layer < shape.num_hidden_layers; layer++) {
    const at = `model.layers.${layer}.`
    list.push(
      [`${at}input_layernorm.weight`, [hidden]],
      [`${at}self_attn.q_proj.weight`, [hidden, hidden]],
      [`${at}self_attn.k_proj.weight`, [kv, hidden]],
      [`${at}self_attn.v_proj.weight`, [kv, hidden]],
      [`${at}self_attn.o_proj.weight`, [hidden, hidden]],
      [`${at}post_attention_layernorm.weight`, [hidden]],
      [`${at}mlp.gate_proj.weight`, [inner, hidden]],
      [`${at}mlp.up_proj.weight`, [inner, hidden]],
      [`${at}mlp.down_proj.weight`, [hidden, inner]],
    )
  }
  list.push(['model.norm.weight', [hidden]])
  if (!shape.tie_word_embeddings) list.push(['lm_head.weight', [vocab, hidden]])
  return list
}

/** Upper half of a float32: bfloat16, rounded towards zero. @param {number} value */
const bf16 = (() => {
  const float = new Float32Array(1)
  const bits = new Uint16Array(float.buffer)
  return (/** @type {number} */ value) => {
    float[0] = value
    return bits[1] ?? 0
  }
})()

/** Normal numbers of standard deviation 0.02, seeded, as bfloat16. @param {number} count */
const noise = (count) => {
  const block = new Uint16Array(count)
  let state = 1
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state + 0.5) / 2 ** 32
  }
  for (let i = 0; i < count; i++)
    block[i] = bf16(0.02 * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()))
  return Buffer.from(block.buffer)
}

/**
 * A folder with a model of the shape: config.json, a tokenizer, and bf16 weights of one block of normal numbers over and
 * over, which takes the time of writing them. Made once, below IFT_BENCH_MODELS or runs/bench; the tokenizer's files come
 * from IFT_BENCH_TOKENIZER or the quickstart.
 *
 * @param {string} name @returns {string} the folder
 */
export const modelFolder = (name) => {
  const shape = shapes[name]
  if (!shape) throw new Error(`--model ${name}: expected ${Object.keys(shapes).join(' or ')}`)
  const folder = join(process.env.IFT_BENCH_MODELS ?? join(root, 'runs/bench'), name)
  const weights = join(folder, 'model.safetensors')
  mkdirSync(folder, { recursive: true })
  const config = JSON.stringify({
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    rms_norm_eps: 1e-5,
    max_position_embeddings: longest,
    bos_token_id: 1,
    eos_token_id: 2,
    torch_dtype: 'bfloat16',
    ...shape,
  })
  const configFile = join(folder, 'config.json')
  const known = existsSync(configFile) && readFileSync(configFile, 'utf8') === config
  if (known && existsSync(weights)) return folder
  // Processes beside this one may want the same folder: every file appears whole.
  writeFileSync(`${configFile}.${process.pid}`, config)
  renameSync(`${configFile}.${process.pid}`, configFile)
  const tokenizer = process.env.IFT_BENCH_TOKENIZER ?? join(root, 'examples/quickstart/model')
  for (const file of ['tokenizer.json', 'tokenizer_config.json'])
    cpSync(join(tokenizer, file), join(folder, file))
  // transformers asks for the framework that wrote a file.
  /** @type {Record<string, unknown>} */
  const header = { __metadata__: { format: 'pt' } }
  let offset = 0
  const list = tensors(shape)
  for (const [tensor, dims] of list) {
    const bytes = 2 * dims.reduce((a, b) => a * b, 1)
    header[tensor] = { dtype: 'BF16', shape: dims, data_offsets: [offset, offset + bytes] }
    offset += bytes
  }
  // Padded as the format's own library does, so that every tensor is aligned.
  const text = JSON.stringify(header)
  const json = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  const partial = `${weights}.${process.pid}.partial`
  const file = openSync(partial, 'w')
  writeSync(file, length)
  writeSync(file, json)
  const block = noise(1 << 19)
  const ones = Buffer.from(new Uint16Array(1 << 14).fill(bf16(1)).buffer)
  for (const [tensor, dims] of list) {
    const source = tensor.endsWith('norm.weight') ? ones : block
    for (let left = 2 * dims.reduce((a, b) => a * b, 1); left > 0; left -= source.length)
      writeSync(file, source, 0, Math.min(left, source.length))
  }
  closeSync(file)
  if (statSync(partial).size !== 8 + json.length + offset) throw new Error(`${partial} is not whole`)
  renameSync(partial, weights)
  return folder
}
