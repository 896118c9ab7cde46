#!/usr/bin/env node
/**
 * Converts a model in the format of llama2.c (weights and tokenizer, both .bin) into a folder in Hugging Face's layout:
 *
 *     node scripts/convert-stories260k.mjs FOLDER_WITH_BIN_FILES OUTPUT_FOLDER
 *
 * The weights file is seven int32 (dim, hidden, layers, heads, key/value heads, vocabulary, positions; a negative vocabulary
 * means an untied head), then float32 tensors, each for all layers in turn. The tokenizer file is the length of the longest
 * piece, then score, length and bytes of every piece.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { argv } from 'node:process'
import { pathToFileURL } from 'node:url'

/**
 * @param {Buffer} bytes
 * @returns {{ config: Record<string, unknown>, tensors: Map<string, { shape: number[], values: Float32Array }> }}
 */
export function readWeights(bytes) {
  const [dim, hidden, layers, heads, kvHeads, signedVocab, positions] = Array.from({ length: 7 }, (_, i) =>
    bytes.readInt32LE(i * 4),
  )
  const vocab = Math.abs(signedVocab)
  const headDim = dim / heads
  let at = 28
  const take = (...shape) => {
    const size = shape.reduce((product, d) => product * d, 1)
    if (at + size * 4 > bytes.length)
      throw new Error(`the weights end at byte ${bytes.length}, expected ${at + size * 4}`)
    const values = new Float32Array(
      bytes.buffer.slice(bytes.byteOffset + at, bytes.byteOffset + at + size * 4),
    )
    at += size * 4
    return { shape, values }
  }
  const tensors = new Map()
  const each = (name, make) => {
    for (let i = 0; i < layers; i++) tensors.set(`model.layers.${i}.${name}.weight`, make())
  }
  tensors.set('model.embed_tokens.weight', take(vocab, dim))
  each('input_layernorm', () => take(dim))
  each('self_attn.q_proj', () => inHalves(take(heads * headDim, dim), heads))
  each('self_attn.k_proj', () => inHalves(take(kvHeads * headDim, dim), kvHeads))
  each('self_attn.v_proj', () => take(kvHeads * headDim, dim))
  each('self_attn.o_proj', () => take(dim, heads * headDim))
  each('post_attention_layernorm', () => take(dim))
  each('mlp.gate_proj', () => take(hidden, dim))
  each('mlp.down_proj', () => take(dim, hidden))
  each('mlp.up_proj', () => take(hidden, dim))
  tensors.set('model.norm.weight', take(dim))
  // Tables of cosines and sines that follow from the sizes.
  take(positions, headDim / 2)
  take(positions, headDim / 2)
  if (signedVocab < 0) tensors.set('lm_head.weight', take(vocab, dim))
  if (at !== bytes.length) throw new Error(`the weights have ${bytes.length} bytes, expected ${at}`)
  const config = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: vocab,
    hidden_size: dim,
    intermediate_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    hidden_act: 'silu',
    max_position_embeddings: positions,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: signedVocab > 0,
    attention_bias: false,
    mlp_bias: false,
    bos_token_id: 1,
    eos_token_id: 2,
    torch_dtype: 'float32',
  }
  return { config, tensors }
}

/** llama2.c rotates the pairs (2i, 2i + 1) of a head, Hugging Face (i, i + d/2): rows of q and k change places. */
function inHalves({ shape, values }, heads) {
  const [rows, cols] = shape
  const headDim = rows / heads
  const result = new Float32Array(values.length)
  for (let row = 0; row < rows; row++) {
    const head = Math.floor(row / headDim)
    const i = row % headDim
    const from = head * headDim + (i < headDim / 2 ? 2 * i : 2 * (i - headDim / 2) + 1)
    result.set(values.subarray(from * cols, (from + 1) * cols), row * cols)
  }
  return { shape, values: result }
}

/**
 * @param {Map<string, { shape: number[], values: Float32Array }>} tensors
 * @returns {Buffer} a safetensors file
 */
export function safetensors(tensors) {
  const names = [...tensors.keys()].sort()
  const header = { __metadata__: { format: 'pt' } }
  let end = 0
  for (const name of names) {
    const { shape, values } = tensors.get(name)
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + values.byteLength] }
    end += values.byteLength
  }
  const json = Buffer.from(JSON.stringify(header))
  const head = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ')
  head.writeBigUInt64LE(BigInt(head.length - 8))
  json.copy(head, 8)
  const data = names.map((name) => {
    const { values } = tensors.get(name)
    return Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  })
  return Buffer.concat([head, ...data])
}

/**
 * @param {Buffer} bytes
 * @param {number} count
 * @returns {{ score: number, bytes: Buffer }[]}
 */
export function readPieces(bytes, count) {
  const pieces = []
  let at = 4
  for (let i = 0; i < count; i++) {
    const length = bytes.readInt32LE(at + 4)
    pieces.push({ score: bytes.readFloatLE(at), bytes: bytes.subarray(at + 8, at + 8 + length) })
    at += 8 + length
  }
  if (at !== bytes.length) throw new Error(`the tokenizer has ${bytes.length} bytes, expected ${at}`)
  return pieces
}

const firstPiece = 259

/**
 * tokenizer.json: byte-pair encoding with byte fallback, whose merges are every way to make a piece of two others, best
 * score first, as SentencePiece merges.
 *
 * @param {{ score: number, bytes: Buffer }[]} pieces
 */
export function tokenizerJson(pieces) {
  const texts = pieces.map(({ bytes }, id) => {
    if (id < 3) return ['<unk>', '<s>', '</s>'][id]
    return bytes.toString('utf8').replaceAll(' ', '▁')
  })
  const vocab = {}
  for (const [id, text] of texts.entries()) {
    if (text in vocab) throw new Error(`pieces ${vocab[text]} and ${id} are both ${JSON.stringify(text)}`)
    vocab[text] = id
  }
  const merges = []
  for (let id = firstPiece; id < texts.length; id++) {
    const characters = [...texts[id]]
    const ways = []
    for (let cut = 1; cut < characters.length; cut++) {
      const pair = [characters.slice(0, cut).join(''), characters.slice(cut).join('')]
      if (pair.every((part) => part in vocab)) ways.push(pair)
    }
    ways.sort((a, b) => vocab[a[0]] - vocab[b[0]] || vocab[a[1]] - vocab[b[1]])
    for (const pair of ways) merges.push({ pair, score: pieces[id].score })
  }
  merges.sort((a, b) => b.score - a.score)
  const special = (id) => ({
    id,
    content: texts[id],
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  })
  const bos = { SpecialToken: { id: '<s>', type_id: 0 } }
  const sequence = (id, type) => ({ Sequence: { id, type_id: type } })
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [0, 1, 2].map(special),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [bos, sequence('A', 0)],
      pair: [bos, sequence('A', 0), { SpecialToken: { id: '<s>', type_id: 1 } }, sequence('B', 1)],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: '<unk>',
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab,
      merges: merges.map(({ pair }) => pair),
    },
  }
}

/**
 * @param {string} source folder with stories260K.bin and tok512.bin
 * @param {string} target folder to write config.json, model.safetensors and the tokenizer to
 */
export async function convert(source, target) {
  const { config, tensors } = readWeights(await readFile(join(source, 'stories260K.bin')))
  const pieces = readPieces(await readFile(join(source, 'tok512.bin')), config.vocab_size)
  const json = (value) => JSON.stringify(value, null, 2) + '\n'
  await mkdir(target, { recursive: true })
  await writeFile(join(target, 'config.json'), json(config))
  await writeFile(join(target, 'generation_config.json'), json({ bos_token_id: 1, eos_token_id: 2 }))
  await writeFile(join(target, 'model.safetensors'), safetensors(tensors))
  await writeFile(join(target, 'tokenizer.json'), json(tokenizerJson(pieces)))
  await writeFile(
    join(target, 'tokenizer_config.json'),
    json({
      tokenizer_class: 'LlamaTokenizer',
      bos_token: '<s>',
      eos_token: '</s>',
      unk_token: '<unk>',
      add_bos_token: true,
      add_eos_token: false,
      clean_up_tokenization_spaces: false,
      model_max_length: config.max_position_embeddings,
    }),
  )
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
  const [source, target] = argv.slice(2)
  if (source === undefined || target === undefined || argv.includes('--help')) {
    process.stderr.write('usage: node scripts/convert-stories260k.mjs FOLDER_WITH_BIN_FILES OUTPUT_FOLDER\n')
    process.exitCode = 2
  } else await convert(source, target)
}
