import { join } from 'node:path'
import {
  QuantizedParameter,
  TiedLinear,
  type CausalLM,
  type FloatDType,
  type Parameter,
  type QuantizedTensor,
} from '@ift/tensor'
import type { ModelDefinition } from '../contract/model.js'
import type { Tokenizer } from '../contract/tokenizer.js'
import { replaceDir, writeFileAtomic } from '../files/atomic.js'
import { itemBytes, storedType } from './numbers.js'
import { fromTensor, type TensorToWrite } from './safetensors.js'
import { isShardName, writeSharded } from './sharded.js'
import { gather } from './stored.js'

export interface SaveModelOptions {
  readonly model: CausalLM
  /** config.json of the base; its dtype is brought up to date. */
  readonly configJson: Readonly<Record<string, unknown>>
  /** Type of the weights in the files. */
  readonly dtype: FloatDType
  /** Says which matrices the family's checkpoints hold as [in, out]; none when omitted. */
  readonly definition?: Pick<ModelDefinition, 'transposed'> | undefined
  /** Names of the tensors in the files by parameter path, where they differ: what `loadWeights` returned for the base. */
  readonly names?: ReadonlyMap<string, string> | undefined
  readonly generationConfig?: Readonly<Record<string, unknown>> | undefined
  /** Content of ift.json: how the model was trained. */
  readonly record?: Readonly<Record<string, unknown>> | undefined
  readonly tokenizer?: Pick<Tokenizer, 'save'> | undefined
  readonly maxShardBytes?: number | undefined
}

const torchTypes = { f32: 'float32', f16: 'float16', bf16: 'bfloat16' } as const

/** File beside an adapter or a model with facts of its training that no other file of the folder has. */
export const recordFile = 'ift.json'

/** Files of a model folder that the next version of it may lack. */
const ours = (name: string) =>
  isShardName(name) ||
  ['config.json', 'generation_config.json', 'hashes.json', 'chat_template.jinja', recordFile].includes(
    name,
  ) ||
  /^(tokenizer|special_tokens_map|added_tokens|vocab|merges)\b.*\.(json|txt|model)$/.test(name)

/** What may be in the place of a model that is written: one that ift has written, when that is told by a record. */
export const modelKind = (recorded: boolean) =>
  ({ kind: 'model', marks: recorded ? [recordFile] : [] }) as const

/** A matrix whose rows and columns change places on the way to the file; it is held whole meanwhile. */
function turned(tensor: TensorToWrite): TensorToWrite {
  const [rows, cols] = tensor.shape as [number, number]
  return {
    ...tensor,
    shape: [cols, rows],
    async *bytes() {
      const pieces: Uint8Array[] = []
      for await (const piece of tensor.bytes()) pieces.push(piece)
      yield gather(Buffer.concat(pieces), [cols, rows], [1, cols], itemBytes[tensor.dtype])
    },
  }
}

/** The values of a quantised matrix, written out while they are saved. */
function fromQuantized(name: string, source: QuantizedTensor, dtype: FloatDType): TensorToWrite {
  return {
    name,
    dtype: storedType(dtype),
    shape: source.shape,
    async *bytes() {
      const values = source.dequantize(dtype)
      try {
        yield* fromTensor(name, values).bytes()
      } finally {
        values.release()
      }
    },
  }
}

/** A parameter, rounded to `dtype`: one that is trained from its master, which is more exact; a quantised one written out. */
export const fromParameter = (name: string, parameter: Parameter, dtype: FloatDType): TensorToWrite =>
  parameter instanceof QuantizedParameter
    ? fromQuantized(name, parameter.quantized, dtype)
    : fromTensor(name, parameter.trainable ? parameter.master : parameter.value, dtype)

/**
 * Writes a whole model in Hugging Face's layout: config.json, safetensors in shards, generation_config.json and the
 * tokenizer. Quantised layers are written as plain numbers. Parameters have their paths for names unless `names` has others; a tied head is not written twice. The folder
 * appears whole or not at all.
 */
export async function saveModel(dir: string, options: SaveModelOptions): Promise<void> {
  const { model, dtype, definition, names, generationConfig, record, tokenizer, maxShardBytes } = options
  const type = torchTypes[dtype]
  const config: Record<string, unknown> = { ...options.configJson, torch_dtype: type }
  // transformers 5 writes the type under this name.
  if ('dtype' in config) config['dtype'] = type
  // A head that reads the embedding in the base's files, and has got weights of its own since.
  const head = [...model.namedModules()].find(([, module]) => module === model.lmHead)?.[0]
  if (
    config['tie_word_embeddings'] !== false &&
    !(model.lmHead instanceof TiedLinear) &&
    names?.has(`${head}.weight`) !== true
  )
    config['tie_word_embeddings'] = false
  // The weights are plain numbers now.
  delete config['quantization_config']
  const json = (value: unknown) => JSON.stringify(value, null, 2) + '\n'
  const write = async (to: string) => {
    const tensors = [...model.namedParameters()].map(([path, parameter]) => {
      const tensor = fromParameter(names?.get(path) ?? path, parameter, dtype)
      return definition?.transposed?.(path) === true ? turned(tensor) : tensor
    })
    await writeSharded(to, tensors, { maxShardBytes })
    await writeFileAtomic(join(to, 'config.json'), json(config))
    if (generationConfig !== undefined)
      await writeFileAtomic(join(to, 'generation_config.json'), json(generationConfig))
    if (record !== undefined) await writeFileAtomic(join(to, recordFile), json(record))
    await tokenizer?.save(to)
  }
  // Hashing would read a large model once more.
  await replaceDir(dir, write, { ours, hashes: false, ...modelKind(record !== undefined) })
}
