import { turnPolicies } from '../data/answer-turns.js'
import { shareFault } from '../data/mixture/amounts.js'
import { amount } from './amount.js'
import * as z from './options.js'
import type { Plugin } from '../contract/plugin.js'

// Over 400 lines: one declaration of every option: types, defaults, validation, help text, the editor's JSON Schema and the docs table
// come from here.

const positive = z.number().positive()
const count = z.number().int().positive()
const fraction = z.number().min(0).max(1)

/** Prompts that a run answers while it trains, each a row of its table. */
const mostPrompts = 64

/** Declares an object whose unknown keys are errors. */
const strict = <S extends z.ZodRawShape>(shape: S) => z.strictObject(shape)

export const dataSourceSchema = strict({
  name: z.string().optional().describe('Name of a dataset plugin, or of a composite such as alpaca-cot.'),
  select: z
    .string()
    .optional()
    .describe(
      'Datasets by their tags, licences and sizes, in place of name: lang:cn gen:si -licence:nc. The other fields hold for each; share is divided.',
    ),
  path: z.string().optional().describe('File or folder, or a hub id: org/name[@revision].'),
  format: z
    .enum(['alpaca', 'sharegpt', 'messages', 'completion', 'text', 'tokenized'])
    .optional()
    .describe('Form of the records; found out from the first ones when absent.'),
  columns: z
    .record(z.string(), z.string())
    .optional()
    .describe('Field names of the form mapped to those of the file: { instruction: "question" }.'),
  split: z
    .string()
    .optional()
    .describe(
      'Which files of a folder or hub id: train, validation, test, another word in their paths, or all. When absent, those that are not named as held out.',
    ),
  encoding: z.string().default('utf-8').describe('Character encoding of the file.'),
  tolerant: z
    .boolean()
    .optional()
    .describe('Read JSON with comments, trailing commas, single quotes, line breaks in strings and NaN.'),
  csv: strict({
    delimiter: z
      .string()
      .regex(/^[\x09\x20-\x7e]$/, 'Expected one character of ASCII.')
      .optional()
      .describe('What separates the fields; told by the first line when absent.'),
    escape: z
      .enum(['"', '\\'])
      .optional()
      .describe('How a quote is written in a quoted field: twice, or behind a backslash.'),
    comment: z.string().min(1).optional().describe('What lines begin with that are none of the table.'),
    header: z
      .array(z.string())
      .min(1)
      .optional()
      .describe('Names of the columns of a file that has none in its first line.'),
  })
    .optional()
    .describe('How a table (.csv, .tsv) is written, where it is not as RFC 4180 says.'),
  weight: positive
    .optional()
    .describe(
      'How often the examples are taken relative to their number: 2 twice, 0.5 another half each epoch.',
    ),
  share: positive
    .max(1)
    .optional()
    .describe('Part of all examples of an epoch, 0.25 a quarter; in place of weight, cap and tokens.'),
  cap: amount.optional().describe('Examples of an epoch at most, others each epoch: 200000 or 200k.'),
  tokens: amount.optional().describe('Tokens of an epoch at most, of other examples each epoch: 2M.'),
  limit: count.optional().describe('Read the first so many examples only.'),
  turns: z
    .enum(turnPolicies)
    .optional()
    .describe(
      'Samples of a conversation: whole (default) one, in which every answer is learned; each one for every answer, with the turns before it as context; alone the same without them.',
    ),
  tags: z
    .array(z.string().min(1).max(100))
    .max(50)
    .optional()
    .describe('What ablations call it, besides its name: ["cot", "lang:zh"].'),
  options: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Options of a dataset package: { name: "wtq", options: { rows: 50 } }.'),
}).check(({ value, issues }) => {
  if (value.select !== undefined && value.name !== undefined)
    issues.push({
      code: 'custom',
      input: value.select,
      path: ['select'],
      message: 'select stands beside name, expected one or the other',
    })
  const beside = (['weight', 'cap', 'tokens'] as const).filter((field) => value[field] !== undefined)
  if (value.share !== undefined && beside.length > 0)
    issues.push({
      code: 'custom',
      input: value.share,
      path: ['share'],
      message: `share stands beside ${beside.join(' and ')}, expected one or the other`,
    })
})

export const dataEntrySchema = z.union([z.string(), dataSourceSchema])

const dedupSchema = z.union(
  [
    z.boolean(),
    z.enum(['exact', 'near']),
    strict({
      by: z
        .enum(['example', 'question'])
        .default('example')
        .describe('What is compared: question and answer, or the question alone.'),
      near: z
        .number()
        .gt(0)
        .max(1)
        .optional()
        .describe('Jaccard similarity from which on two texts count as one; equal texts alone when absent.'),
      permutations: count.max(4096).default(128).describe('Permutations of MinHash.'),
      bands: count
        .optional()
        .describe(
          'Bands that the permutations are cut into; when absent, as many as find 9 of 10 pairs at the threshold: 16 for 0.8.',
        ),
      shingle: count
        .max(64)
        .default(5)
        .describe('Words, or characters of Chinese and the like, in a shingle.'),
    }).refine(({ permutations, bands = 1 }) => permutations % bands === 0, {
      error: 'bands must divide permutations',
      path: ['bands'],
    }),
  ],
  {
    error: 'expected true, false, exact, near, or an object such as { near: 0.9 }',
  },
)

const decontaminateSchema = z.union([
  z.string(),
  z.array(dataEntrySchema),
  // First of the two: of as many faults, those of what the option alone has are told.
  strict({
    against: z
      .union([dataEntrySchema, z.array(dataEntrySchema)])
      .describe('Evaluation data: NAME:SPLIT, files, hub ids, or entries as of data.'),
    action: z
      .enum(['drop', 'warn', 'error'])
      .default('drop')
      .describe('Leave contaminated examples out, tell of them, or end the run at the first.'),
    words: count.max(1024).default(13).describe('Words in a row that a question has in common.'),
    characters: count.max(1024).default(20).describe('The same in characters of Chinese and the like.'),
  }),
  // What has `against` is meant as the other one.
  dataSourceSchema.safeExtend({ against: z.never().optional() }),
])

/** Datasets: one, or several that are mixed. */
const dataSchema = z.union([dataEntrySchema, z.array(dataEntrySchema)]).check(({ value, issues }) => {
  const portions = [value]
    .flat()
    .map((entry) => ({ share: typeof entry === 'string' ? undefined : entry.share }))
  // A share that is none has an issue of its own.
  if (portions.some(({ share = 1 }) => !(share > 0 && share <= 1))) return
  const fault = shareFault(portions)
  if (fault !== null)
    issues.push({
      ...{ code: 'custom', input: value },
      message: `expected ${fault.expected}`,
      params: { found: fault.found },
    })
})

export const generateSchema = strict({
  maxNewTokens: count.default(512).describe('Maximum number of new tokens.'),
  minNewTokens: z.number().int().min(0).default(0).describe('Minimum number of new tokens.'),
  doSample: z.boolean().default(false).describe('Sample instead of taking the likeliest token.'),
  temperature: positive.default(1).describe('Divides the scores before sampling.'),
  topK: z.number().int().min(0).default(0).describe('Sample among the k likeliest tokens; 0 is off.'),
  topP: fraction.default(1).describe('Sample among the likeliest tokens that hold this much probability.'),
  numBeams: count.max(1024).default(1).describe('Beams; with doSample, beam sampling.'),
  lengthPenalty: z.number().default(1).describe('Exponent of the length that divides a beam score.'),
  earlyStopping: z
    .boolean()
    .default(false)
    .describe('End a beam search at the first numBeams finished beams.'),
  noRepeatNgramSize: z
    .number()
    .int()
    .min(0)
    .default(0)
    .describe('No n-gram of this size occurs twice; 0 is off.'),
  repetitionPenalty: positive
    .default(1)
    .describe('Divides the scores of tokens already seen (Keskar et al. 2019).'),
  stop: z.array(z.string()).default([]).describe('Texts that end a generation.'),
  seed: z.number().int().min(0).default(0).describe('Seed of sampling.'),
  constraint: z
    .looseObject({
      schema: z.record(z.string(), z.unknown()).optional().describe('A JSON schema.'),
      regex: z.string().optional().describe('An expression that the whole answer matches.'),
      choices: z.array(z.string()).optional().describe('Texts of which the answer is one.'),
      lark: z.string().optional().describe('A grammar in the syntax of Lark.'),
    })
    .optional()
    .describe(
      'What an answer is held to, by one kind: these of @ift/constraints, or one that another package brings.',
    ),
})

export const trainSchema = strict({
  epochs: positive.max(1e6).default(3).describe('Passes over the data.'),
  maxSteps: count.optional().describe('Maximum optimiser steps; overrides epochs.'),
  batchSize: count.default(128).describe('Sequences in an optimiser step, over all micro-batches and ranks.'),
  tokensPerStep: count.optional().describe('Tokens in an optimiser step; overrides batchSize.'),
  microBatchTokens: count
    .default(4096)
    .describe('Tokens that pass through the model at once; a longer sequence passes alone.'),
  learningRate: positive.default(3e-4).describe('Peak learning rate.'),
  schedule: z
    .enum(['linear', 'cosine', 'constant', 'wsd'])
    .default('linear')
    .describe('Course of the learning rate after the warm-up; wsd stays at the peak and decays at the end.'),
  warmupSteps: z
    .number()
    .int()
    .min(0)
    .optional()
    .describe('Steps of linear warm-up, the first at learningRate / warmupSteps; overrides warmupRatio.'),
  warmupRatio: fraction.default(0.03).describe('Share of all steps that warm up.'),
  decaySteps: z
    .number()
    .int()
    .min(0)
    .optional()
    .describe('Steps at the end in which wsd decays; wins over decayRatio.'),
  decayRatio: fraction.optional().describe('Share of all steps in which wsd decays; 0.1 when absent.'),
  decayShape: z
    .enum(['linear', 'cosine', 'sqrt'])
    .optional()
    .describe('Form of the decay of wsd, linear when absent; sqrt is 1 - sqrt (Hägele et al. 2024).'),
  minLearningRateRatio: fraction.default(0).describe('Learning rate at the end as a share of the peak.'),
  optimizer: z
    .union([z.string(), z.looseObject({ name: z.string() })])
    .default('adamw')
    .describe('adamw, lion, adafactor or a package; with its options: { name: "lion", beta2: 0.98 }.'),
  beta1: fraction.optional().describe('Short for train.optimizer.beta1.'),
  beta2: fraction.optional().describe('Short for train.optimizer.beta2.'),
  epsilon: positive.optional().describe('Short for train.optimizer.epsilon.'),
  weightDecay: z.number().min(0).default(0).describe('Decoupled weight decay of matrices.'),
  clipNorm: z.number().min(0).default(1).describe('Clips the gradient to this norm; 0 is off.'),
  recompute: z
    .enum(['auto', 'none', 'all'])
    .default('auto')
    .describe('Layers to recompute in the backward pass: as many as memory requires (auto), none, or all.'),
  sharePrefixes: z
    .enum(['auto', 'always', 'never'])
    .default('auto')
    .describe(
      'Compute the common beginning of samples in a micro-batch once: when only rounding changes, that is without dropout (auto), also with one dropout mask for all of them (always), or never.',
    ),
  memory: positive
    .optional()
    .describe('Memory limit in GiB for recompute: auto; the free memory when absent.'),
  startAtOnce: z
    .enum(['auto', 'always', 'never'])
    .default('auto')
    .describe(
      'Begin before all rows are tokenised: auto for JSONL beyond 64 MiB, never to have every row checked before the first step. The result is the same.',
    ),
  shuffle: z
    .boolean()
    .default(true)
    .describe('A new seeded order every epoch; otherwise the order of the data.'),
  seed: z.number().int().min(0).default(42).describe('Seed of order, dropout and initial values.'),
  evalEvery: z
    .number()
    .int()
    .min(0)
    .optional()
    .describe('Steps between evaluations; a tenth of the run when absent, 0 never.'),
  saveEvery: z
    .number()
    .int()
    .min(0)
    .optional()
    .describe('Steps between checkpoints; a tenth of the run when absent, 0 only at the end.'),
  keepCheckpoints: count
    .default(3)
    .describe('Number of newest checkpoints to keep; the best one is kept too.'),
  logEvery: count.default(1).describe('Steps between lines of metrics.jsonl.'),
  samples: strict({
    prompts: z
      .union([z.number().int().min(0).max(mostPrompts), z.array(z.string().min(1)).max(mostPrompts)])
      .default(0)
      .describe(
        'Prompts that the model answers while it is trained: so many of the validation data, or texts. 0 is none.',
      ),
    file: z
      .string()
      .optional()
      .describe(`Data file whose first ${mostPrompts} prompts are answered, in place of prompts.`),
    every: count
      .optional()
      .describe('Steps between answers, the first before the first step; a tenth of the run when absent.'),
    maxNewTokens: count.max(4096).default(64).describe('Maximum number of new tokens of an answer.'),
    doSample: z.boolean().default(false).describe('Sample instead of taking the likeliest token.'),
    temperature: positive.default(1).describe('Divides the scores before sampling.'),
    topP: fraction.default(1).describe('Sample among the likeliest tokens that hold this much probability.'),
    seed: z.number().int().min(0).default(0).describe('Seed of sampling.'),
  })
    .prefault({})
    .describe('Answers to the same prompts as the model learns, in samples.jsonl; docs/runs.md.'),
  loadBestAtEnd: z
    .boolean()
    .default(false)
    .describe('Save the weights of the best validation loss as the result, instead of the last ones.'),
  earlyStopping: count.optional().describe('Stop after this many evaluations without a better loss.'),
})

export const configSchema = strict({
  $schema: z.string().optional().describe('Where an editor finds the schema of this file.'),
  model: z.string().default('auto').describe('Model family; auto finds it from config.json.'),
  weights: z.string().optional().describe('Model folder, file, or hub id: org/name[@revision].'),
  initialize: z
    .boolean()
    .default(false)
    .describe('Start from random values: weights names a folder with config.json and tokenizer only.'),
  tokenizer: z.string().optional().describe('Folder of the tokenizer, if it is not that of the weights.'),
  adapter: z
    .union([z.string(), z.array(z.string()).min(1), z.record(z.string(), z.string())])
    .optional()
    .describe(
      'Adapter to start from or to use: folder or hub id. Several to be used over one base: a map of names to folders, or a list of folders or NAME=folder.',
    ),
  device: z
    .string()
    .default('auto')
    .describe('cpu, cuda, cuda:1, or auto: the fastest device of the machine.'),
  threads: count.max(4096).optional().describe('Threads of the CPU device; all cores when absent.'),
  dtype: z
    .enum(['auto', 'f32', 'bf16', 'f16'])
    .default('auto')
    .describe('Type of weights and activations; auto takes the type that the device prefers.'),
  quantize: z
    .enum(['auto', 'none', 'nf4', 'int8'])
    .optional()
    .describe(
      'How frozen weights of linear layers are held: in 4 bits (nf4) or 8 bits (int8, which on a CPU also multiplies in int8), or as numbers (none); auto keeps the blocks of a quantised GGUF file as they lie where the device multiplies them (CPU). When absent, the format that the adapter was trained on, else auto.',
    ),
  peft: z
    .looseObject({
      method: z.string().default('lora').describe('lora, …; none trains all parameters and has no options.'),
    })
    .prefault({})
    .refine(({ method, ...options }) => method !== 'none' || Object.keys(options).length === 0, {
      error: 'method none trains the weights themselves and has no options',
    })
    .describe('Method and its options.'),
  data: dataSchema.default([]).describe('Datasets by name, files, or hub ids; several are mixed.'),
  mix: z
    .enum(['shuffled', 'sequential', 'interleaved'])
    .default('shuffled')
    .describe(
      'Order of several datasets: shuffled into each other by the seed, one after another, or in even alternation by their shares.',
    ),
  dedup: dedupSchema
    .default(false)
    .describe(
      'Drop examples that repeat an earlier one: with the same tokens (true), with the same normalised text (exact), or nearly so (near: Jaccard similarity 0.8).',
    ),
  decontaminate: decontaminateSchema
    .optional()
    .describe('Evaluation data that training must not see: gsm8k:test, files, hub ids.'),
  validation: strict({
    size: z
      .number()
      .min(0)
      .default(0)
      .describe('Examples held out (a whole number) or their share (below 1).'),
    data: dataSchema.optional().describe('Separate validation data, in place of size.'),
    seed: z.number().int().min(0).default(42).describe('Seed of the split.'),
  })
    .prefault({})
    .describe('What evaluation runs on.'),
  evaluate: strict({
    tasks: z
      .array(
        strict({
          name: z.string().min(1).describe('Name of a task, such as gsm8k.'),
          data: z.string().min(1).describe('File or folder with its test.'),
          shotsData: z
            .string()
            .optional()
            .describe('File or folder with the examples that it shows; that of data when absent.'),
          shots: z
            .number()
            .int()
            .min(0)
            .max(64)
            .optional()
            .describe("Examples before a question; the task's number when absent."),
          limit: count.default(100).describe('Items that are asked, evenly spread over the test.'),
          as: z
            .enum(['text', 'instruction'])
            .optional()
            .describe(
              'Continue its prompts as they are, or ask them under the template; as the task has it when absent.',
            ),
          maxNewTokens: count.optional().describe("Tokens of an answer; the task's number when absent."),
          options: z.record(z.string(), z.unknown()).optional().describe('Options of the task.'),
        }),
      )
      .max(16)
      .default([])
      .describe('Tasks of @ift/eval, or of other packages, that are asked beside the validation loss.'),
    best: z
      .string()
      .optional()
      .describe(
        'What train.loadBestAtEnd and train.earlyStopping go by in place of the validation loss: a task, or task.metric.',
      ),
  })
    .prefault({})
    .describe('Tasks that a run is evaluated on while it trains; see docs/evaluation.md.'),
  cache: strict({
    maxSize: positive
      .default(20)
      .describe('GiB of tokenised data in .ift-cache; beyond it what was used longest ago is removed.'),
    maxAge: positive.default(30).describe('Days without use after which tokenised data are removed.'),
  })
    .prefault({})
    .describe('What is kept in .ift-cache beside the config.'),
  ranks: strict({
    timeout: positive
      // Timers hold 2^31 milliseconds.
      .max(2e6)
      .default(600)
      .describe('Seconds that a rank waits for another one before the run ends with its name.'),
    mpi: z
      .string()
      .optional()
      .describe('File of the MPI library for CPU ranks, if it is not found automatically.'),
    nccl: z
      .string()
      .optional()
      .describe('File of the NCCL library for GPU ranks, if it is not found automatically.'),
  })
    .prefault({})
    .describe('A run over several processes; see docs/distributed.md.'),
  template: z
    .string()
    .optional()
    .describe("Prompt template; the family's default when absent, chat for the checkpoint's own."),
  trainOn: z
    .enum(['assistant', 'last', 'all'])
    .default('assistant')
    .describe('Turns that are learned: every assistant turn, the last one, or all text.'),
  maxLength: count.default(512).describe('Maximum tokens of a sequence, virtual ones of a method included.'),
  truncation: z
    .enum(['right', 'left', 'drop'])
    .default('right')
    .describe(
      'Part of a longer sequence that is removed: the end of the answer, the start of the prompt, or the whole example.',
    ),
  train: trainSchema.prefault({}).describe('The training run.'),
  deterministic: z
    .boolean()
    .default(true)
    .describe(
      'Answers on a CPU whose bits do not depend on what else is answered at the same time; without it decoding is faster.',
    ),
  generate: generateSchema.prefault({}).describe('Decoding in generate, chat, predict and samples.'),
  output: z.string().default('ift-runs/{model}-{data}-{method}').describe('Run folder.'),
  plugins: z
    .array(
      z.union(
        [
          z.string(),
          z.literal(false),
          z.custom<Plugin>((value) => typeof value === 'object' && value !== null),
        ],
        { error: 'expected the name of a package, a file, a plugin, or false' },
      ),
    )
    .default([])
    .describe('Further plugins: package names, files, or objects.'),
})

/** A config as the user writes it. */
export type IftConfig = z.input<typeof configSchema>
/** The config with every default filled in. */
export type ResolvedConfig = Readonly<z.output<typeof configSchema>>
export type DataEntry = z.output<typeof dataEntrySchema>
export type DataSource = z.output<typeof dataSourceSchema>
export type TrainConfig = z.output<typeof trainSchema>
export type GenerateConfig = z.output<typeof generateSchema>

/** Types a config file for the editor. */
export const defineConfig = (config: IftConfig): IftConfig => config
