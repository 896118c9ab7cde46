import { IftError } from '@ift/core'

/** Result of one translated flag: an option of the config, or only a note. */
interface Translation {
  readonly path?: string
  readonly value?: unknown
  readonly note?: string
  /** Words for the verb itself. */
  readonly words?: readonly string[]
}

type Translate = (values: readonly string[], overrides: Readonly<Record<string, unknown>>) => Translation

const one = (flag: string, values: readonly string[]): string => {
  const [value] = values
  if (value === undefined || values.length > 1)
    throw new IftError('IFT_USAGE', `--${flag} takes one value, found ${values.length}.`, `--${flag} VALUE`)
  return value
}

const number = (flag: string, values: readonly string[]): number => {
  const value = Number(one(flag, values))
  if (Number.isNaN(value)) throw new IftError('IFT_USAGE', `--${flag} takes a number, found "${values[0]!}".`)
  return value
}

const text =
  (flag: string, path: string): Translate =>
  (values) => ({ path, value: one(flag, values) })

const numeric =
  (flag: string, path: string): Translate =>
  (values) => ({ path, value: number(flag, values) })

const nothing =
  (note: string): Translate =>
  () => ({ note })

/** The original's defaults: an optimiser step is their product, whichever of the two a line gives. */
const batchDefaults = { per_gpu_train_batch_size: 4, gradient_accumulation_steps: 32 }

/** One factor of the batch. The other is its default, or what the line gave before. */
function batch(): Record<keyof typeof batchDefaults, Translate> {
  const factor =
    (flag: keyof typeof batchDefaults, other: keyof typeof batchDefaults): Translate =>
    (values, overrides) => {
      const value = number(flag, values)
      // A batch size that is there already is this line's other factor times the default of this one.
      const before = (overrides['train'] as { batchSize?: number } | undefined)?.batchSize
      const rest = before === undefined ? batchDefaults[other] : before / batchDefaults[flag]
      return { path: 'train.batchSize', value: value * rest }
    }
  return {
    per_gpu_train_batch_size: factor('per_gpu_train_batch_size', 'gradient_accumulation_steps'),
    gradient_accumulation_steps: factor('gradient_accumulation_steps', 'per_gpu_train_batch_size'),
  }
}

/** Names that the original's --peft_type gives its methods. */
const methods: Readonly<Record<string, string>> = {
  lora: 'lora',
  adalora: 'adalora',
  prompt: 'prompt',
  p_tuning: 'p-tuning',
  prefix: 'prefix',
}

/** Names that the original's --model_type has for what is one family here. */
const models: Readonly<Record<string, string>> = { chatglm2: 'chatglm' }

const dtypes: Readonly<Record<string, string>> = { fp16: 'f16', bf16: 'bf16', fp32: 'f32' }

/** What the original's numbers of bits mean. */
const formats: Readonly<Record<string, string>> = { '4': 'nf4', '8': 'int8' }

/** Flags of Alpaca-CoT's uniform_finetune.py in the terms of ift's config. */
const flags: Readonly<Record<string, Translate>> = {
  model_type: (values) => {
    const name = one('model_type', values)
    return { path: 'model', value: models[name] ?? name }
  },
  model_name_or_path: text('model_name_or_path', 'weights'),
  size: nothing('--size is not read: the size follows from the weights.'),
  local_rank: nothing('--local_rank is not needed.'),
  'local-rank': nothing('--local-rank is not needed.'),
  ...batch(),
  epochs: numeric('epochs', 'train.epochs'),
  learning_rate: numeric('learning_rate', 'train.learningRate'),
  cutoff_len: numeric('cutoff_len', 'maxLength'),
  resume_from_checkpoint: (values) => ({ words: ['--resume', ...values] }),
  val_set_size: numeric('val_set_size', 'validation.size'),
  peft_type: (values) => {
    const name = one('peft_type', values)
    return { path: 'peft.method', value: methods[name] ?? name }
  },
  lora_r: numeric('lora_r', 'peft.r'),
  lora_alpha: numeric('lora_alpha', 'peft.alpha'),
  lora_dropout: numeric('lora_dropout', 'peft.dropout'),
  lora_target_modules: (values) => ({ path: 'peft.targetModules', value: [...values] }),
  num_virtual_tokens: numeric('num_virtual_tokens', 'peft.virtualTokens'),
  prompt_encoder_hidden_size: numeric('prompt_encoder_hidden_size', 'peft.encoderHidden'),
  adalora_init_r: numeric('adalora_init_r', 'peft.initR'),
  adalora_tinit: numeric('adalora_tinit', 'peft.tInit'),
  adalora_tfinal: numeric('adalora_tfinal', 'peft.tFinal'),
  adalora_delta_t: numeric('adalora_delta_t', 'peft.deltaT'),
  compute_dtype: (values) => {
    const name = one('compute_dtype', values)
    const value = dtypes[name]
    if (value === undefined)
      throw new IftError('IFT_USAGE', `--compute_dtype takes fp16, bf16 or fp32, found "${name}".`)
    return { path: 'dtype', value }
  },
  output_dir: (values) => {
    const dir = one('output_dir', values)
    return dir === 'none' ? {} : { path: 'output', value: dir }
  },
  report_to: (values) => {
    const name = one('report_to', values)
    return name === 'wandb'
      ? {
          note: '--report_to wandb: nothing leaves this machine; metrics.jsonl and TensorBoard events are always written.',
        }
      : {}
  },
  quantization_bit: (values) => {
    const bits = one('quantization_bit', values)
    const value = formats[bits]
    if (value === undefined)
      throw new IftError('IFT_USAGE', `--quantization_bit takes 4 or 8, found "${bits}".`)
    return { path: 'quantize', value }
  },
}

/** The translation of a flag of the original trainer, or undefined for any other. */
export const translateSeedFlag = (name: string): Translate | undefined =>
  Object.hasOwn(flags, name) ? flags[name] : undefined
