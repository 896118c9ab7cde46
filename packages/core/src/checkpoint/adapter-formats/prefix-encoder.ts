import { join } from 'node:path'
import { IftError } from '@ift/tensor'
import { adapterWeights } from '../../files/adapter-files.js'
import { jsonObject, readJson } from '../../files/read-json.js'
import type { StoredTensor } from '../stored.js'
import { StoredAdapter, type AdapterConfig, type AdapterFormat } from './format.js'
import { openTensors } from './open-tensors.js'

// P-tuning v2 as ChatGLM's own code trains it (THUDM/ChatGLM-6B, ptuning): its trainer saves the parameters that were trained, as the
// weights of a model whose config.json says pre_seq_len.

const prefix = 'transformer.prefix_encoder.'

/** Names in the file, and those that the encoder's parts have in Hugging Face PEFT. */
const projected: ReadonlyMap<string, string> = new Map([
  ['embedding.weight', 'prompt_encoder.embedding.weight'],
  ['trans.0.weight', 'prompt_encoder.transform.0.weight'],
  ['trans.0.bias', 'prompt_encoder.transform.0.bias'],
  ['trans.2.weight', 'prompt_encoder.transform.2.weight'],
  ['trans.2.bias', 'prompt_encoder.transform.2.bias'],
])
const plain: ReadonlyMap<string, string> = new Map([['embedding.weight', 'prompt_embeddings']])

/** Whether tensors are those of a prefix encoder and nothing else. */
export const isPrefixEncoder = (names: Iterable<string>): boolean => {
  const all = [...names]
  return all.length > 0 && all.every((name) => name.startsWith(prefix))
}

const wrong = (path: string, problem: string) =>
  new IftError(
    'IFT_ADAPTER_CONFIG',
    `${path}: ${problem}`,
    'Take config.json and pytorch_model.bin from the same checkpoint of the prefix.',
  )

function count(path: string, config: AdapterConfig, field: string): number {
  const value = config[field]
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number
  throw wrong(path, `${field} expected a positive integer, found ${JSON.stringify(value)}.`)
}

/** Heads of keys and values, which later versions share among queries. */
const kvHeads = (path: string, config: AdapterConfig): number =>
  count(
    path,
    config,
    config['multi_query_attention'] === true ? 'multi_query_group_num' : 'num_attention_heads',
  )

/**
 * The prefix of ChatGLM's P-tuning v2: `transformer.prefix_encoder.embedding.weight` [V, 2 · layers · width], or with
 * `prefix_projection` a table and two linear layers `trans.0`, `trans.2` that make it. It is given as an adapter of
 * PEFT's `PREFIX_TUNING`: `prompt_embeddings`, or PEFT's `prompt_encoder.embedding` and `prompt_encoder.transform`, whose layout
 * is the same. `positions_from_zero` says that the rows behind the prefix begin at position 0, where PEFT's begin at V.
 */
export const prefixEncoderFormat: AdapterFormat = {
  program: "ChatGLM's P-tuning v2",
  weights: adapterWeights.prefixEncoder,
  async fits({ dir, names, config }) {
    const weights = adapterWeights.prefixEncoder.find((name) => names.includes(name))
    return (
      config === null &&
      weights !== undefined &&
      names.includes('config.json') &&
      isPrefixEncoder((await openTensors(join(dir, weights))).keys())
    )
  },
  async open({ dir }, weights) {
    const path = join(dir, 'config.json')
    const json = await readJson(path, jsonObject)
    const stored = await openTensors(weights)
    const isProjected = json['prefix_projection'] === true
    const tensors = new Map<string, StoredTensor>()
    const names = isProjected ? projected : plain
    for (const [name, tensor] of stored) {
      const known = names.get(name.slice(prefix.length))
      if (known === undefined)
        throw new IftError(
          'IFT_ADAPTER_UNEXPECTED',
          `${weights}: tensor "${name}" does not belong to a prefix encoder with prefix_projection: ${isProjected}.`,
          'Take config.json and pytorch_model.bin from the same checkpoint of the prefix.',
        )
      tensors.set(known, tensor)
    }
    for (const [part, known] of names)
      if (!tensors.has(known))
        throw new IftError(
          'IFT_ADAPTER_MISSING',
          `${weights}: tensor "${prefix}${part}" is missing.`,
          'Take config.json and pytorch_model.bin from the same checkpoint of the prefix.',
        )
    const virtualTokens = count(path, json, 'pre_seq_len')
    const layers = count(path, json, 'num_layers')
    const table = stored.get(`${prefix}embedding.weight`)!
    const last = isProjected ? stored.get(`${prefix}trans.2.bias`)! : table
    const width = last.shape.at(-1) ?? 0
    if (table.shape.length !== 2 || table.shape[0] !== virtualTokens)
      throw wrong(
        path,
        `pre_seq_len is ${virtualTokens}, and the prefix is [${table.shape.join(', ')}], found in ${weights}.`,
      )
    if (width === 0 || width % (2 * layers) !== 0)
      throw wrong(path, `num_layers is ${layers}, and ${weights} has keys and values of ${width} numbers.`)
    const base = json['_name_or_path']
    const config = {
      ...(typeof base === 'string' && base !== '' && { base_model_name_or_path: base }),
      ...(isProjected && { encoder_hidden_size: stored.get(`${prefix}trans.0.bias`)!.shape[0] }),
      inference_mode: true,
      num_attention_heads: kvHeads(path, json),
      num_layers: layers,
      num_transformer_submodules: 1,
      num_virtual_tokens: virtualTokens,
      peft_type: 'PREFIX_TUNING',
      positions_from_zero: true,
      prefix_projection: isProjected,
      task_type: 'CAUSAL_LM',
      token_dim: width / (2 * layers),
    }
    return new StoredAdapter(weights, [weights, path], config, tensors)
  },
}
