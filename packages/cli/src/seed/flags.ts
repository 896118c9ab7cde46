import { IftError } from '@ift/core'

/** What a flag of the original stands for: an option of the config, words of the verb's own line, a remark, or nothing. */
export interface Translation {
  readonly path?: string
  readonly value?: unknown
  readonly note?: string
  readonly words?: readonly string[]
}

/** `flag` is as it was typed, without hyphens in front. */
export type Translate = (values: readonly string[], flag: string) => Translation

type Flags = Readonly<Record<string, Translate>>

const one = (flag: string, values: readonly string[]): string => {
  const [value] = values
  if (value === undefined || values.length > 1)
    throw new IftError('IFT_USAGE', `--${flag} takes one value, found ${values.length}.`, `--${flag} VALUE`)
  return value
}

export const numberOf = (flag: string, values: readonly string[]): number => {
  const text = one(flag, values)
  const value = Number(text)
  if (text.trim() === '' || Number.isNaN(value))
    throw new IftError('IFT_USAGE', `--${flag} takes a number, found "${text}".`, `--${flag} 1`)
  return value
}

const text =
  (path: string): Translate =>
  (values, flag) => ({ path, value: one(flag, values) })

const numeric =
  (path: string): Translate =>
  (values, flag) => ({ path, value: numberOf(flag, values) })

const list =
  (path: string): Translate =>
  (values) => ({ path, value: [...values] })

/** As argparse reads bool: a flag alone, or True and False. */
const truth =
  (path: string): Translate =>
  (values, flag) => ({ path, value: values.length === 0 || /^(true|1|yes)$/i.test(one(flag, values)) })

/** A number, or one of the words that stand for none. */
const numericOr =
  (path: string, words: readonly string[]): Translate =>
  (values, flag) => ({
    path,
    value: words.includes(values[0] ?? '') ? one(flag, values) : numberOf(flag, values),
  })

/** A flag of the verb itself. */
const own =
  (name: string): Translate =>
  (values, flag) => ({ words: [name, one(flag, values)] })

const nothing =
  (why: string): Translate =>
  (_values, flag) => ({ note: `--${flag} is not needed: ${why}.` })

const named =
  (path: string, names: Readonly<Record<string, string>>): Translate =>
  (values, flag) => {
    const name = one(flag, values)
    if (!Object.hasOwn(names, name))
      throw new IftError(
        'IFT_USAGE',
        `--${flag} takes ${Object.keys(names).join(' or ')}, found "${name}".`,
        `--${flag} ${Object.keys(names)[0]!}`,
      )
    return { path, value: names[name]! }
  }

/** Names that the original has for what is one family or method here; others stay. */
const renamed =
  (path: string, names: Readonly<Record<string, string>>): Translate =>
  (values, flag) => {
    const name = one(flag, values)
    return { path, value: Object.hasOwn(names, name) ? names[name]! : name }
  }

/** Flags that several of the original's scripts share. */
const common: Flags = {
  model_type: renamed('model', { chatglm2: 'chatglm' }),
  model_name_or_path: text('weights'),
  model_path: text('weights'),
  size: nothing('the size follows from the weights'),
  local_rank: nothing('the launcher says it'),
  'local-rank': nothing('the launcher says it'),
  compute_dtype: named('dtype', { fp16: 'f16', bf16: 'bf16', fp32: 'f32' }),
  quantization_bit: named('quantize', { '4': 'nf4', '8': 'int8' }),
}

const generation: Flags = {
  max_new_tokens: numeric('generate.maxNewTokens'),
  do_sample: truth('generate.doSample'),
  temperature: numeric('generate.temperature'),
  top_k: numeric('generate.topK'),
  top_p: numeric('generate.topP'),
  num_beams: numeric('generate.numBeams'),
  no_repeat_ngram_size: numeric('generate.noRepeatNgramSize'),
  repetition_penalty: numeric('generate.repetitionPenalty'),
}

/** uniform_finetune.py and finetune.py, and the launcher in front of them. */
const training: Flags = {
  ...common,
  epochs: numeric('train.epochs'),
  learning_rate: numeric('train.learningRate'),
  cutoff_len: numeric('maxLength'),
  resume_from_checkpoint: (values) => ({ words: ['--resume', ...values] }),
  val_set_size: numeric('validation.size'),
  peft_type: text('peft.method'),
  lora_r: numeric('peft.r'),
  lora_alpha: numeric('peft.alpha'),
  lora_dropout: numeric('peft.dropout'),
  lora_target_modules: list('peft.targetModules'),
  bottleneck_size: numeric('peft.bottleneckSize'),
  non_linearity: text('peft.nonLinearity'),
  adapter_dropout: numeric('peft.dropout'),
  scaling: numericOr('peft.scaling', ['learned']),
  use_parallel_adapter: truth('peft.useParallelAdapter'),
  use_adapterp: truth('peft.useAdapterP'),
  target_modules: list('peft.targetModules'),
  num_virtual_tokens: numeric('peft.virtualTokens'),
  prompt_encoder_hidden_size: numeric('peft.encoderHidden'),
  adalora_init_r: numeric('peft.initR'),
  adalora_tinit: numeric('peft.tInit'),
  adalora_tfinal: numeric('peft.tFinal'),
  adalora_delta_t: numeric('peft.deltaT'),
  output_dir: (values, flag) => {
    const dir = one(flag, values)
    return dir === 'none' ? {} : { path: 'output', value: dir }
  },
  report_to: (values, flag) =>
    one(flag, values) === 'wandb'
      ? {
          note: '--report_to wandb: nothing leaves this machine; metrics.jsonl and TensorBoard events are always written.',
        }
      : {},
  nproc_per_node: own('--nproc'),
  nnodes: (values, flag) => {
    if (numberOf(flag, values) === 1) return {}
    throw new IftError(
      'IFT_USAGE',
      `--${flag} ${values[0]!}: ift starts the processes of one machine; those of several come from a launcher.`,
      `On every machine: torchrun --no-python --nnodes ${values[0]!} --node-rank RANK --nproc-per-node N --master-addr HOST --master-port PORT npx ift train … (docs/distributed.md)`,
    )
  },
  node_rank: nothing('one machine is used'),
  master_addr: nothing('one machine is used'),
  master_port: nothing('one machine is used'),
}

const adapterSaysSo = nothing('the adapter says it')

/** Scripts that answer with a trained adapter. */
const answering: Flags = {
  ...common,
  ...generation,
  lora_dir: text('adapter'),
  lora_name_or_path: text('adapter'),
  lora_r: adapterSaysSo,
  lora_alpha: adapterSaysSo,
  lora_dropout: adapterSaysSo,
  lora_target_modules: adapterSaysSo,
}

const flags: Readonly<Record<string, Flags>> = {
  train: training,
  plan: training,
  inspect: training,
  generate: answering,
  chat: answering,
  score: answering,
  serve: answering,
  merge: { ...answering, merged_dir: (values, flag) => ({ words: [one(flag, values)] }) },
  predict: {
    ...answering,
    data: own('--input'),
    result_dir: own('--output'),
    predict_batch_size: own('--batch'),
    cutoff_len: (values, flag) => ({
      path: 'generate.maxNewTokens',
      value: numberOf(flag, values),
      note: `--${flag} counted the tokens of the prompt too; here it is those of the answer (--generate.maxNewTokens).`,
    }),
  },
}

/** The translation of a flag of the script that a verb stands for, or undefined for any other. */
export const translateSeedFlag = (verb: string, flag: string): Translate | undefined => {
  const known = flags[verb] ?? {}
  return Object.hasOwn(known, flag) ? known[flag] : undefined
}

/** A word of the original's line that names the script itself. */
export const isSeedScript = (word: string): boolean => /(^|[\\/])(uniform_)?finetune\.py$/.test(word)

const lists = ['lora_target_modules', 'target_modules', 'data']
const truths = ['do_sample', 'use_parallel_adapter', 'use_adapterp']

/** How many words a flag of the original takes at most, given the one that follows it. */
export const seedWords = (flag: string, next: string | undefined): number =>
  lists.includes(flag) ? Infinity : truths.includes(flag) && !/^(true|false|[01])$/i.test(next ?? '') ? 0 : 1

/** Flags of the script that a verb stands for. */
export const seedFlags = (verb: string): readonly string[] => Object.keys(flags[verb] ?? {})
