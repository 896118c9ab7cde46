import {
  encodeExample,
  IftError,
  ignoredLabel,
  modelIdentity,
  type AdapterChoice,
  type EncodeOptions,
  type Example,
  type OpenModel,
  type Sample,
  type TaskGeneration,
  type TaskLoss,
  type TaskPrompt,
  type TextGenerator,
} from '@ift/core'
import { answered } from '../prompt.js'
import type { EvalModel, ModelAnswer, ModelFacts, ScoredChoices } from './model.js'

/** A sequence with the part of it that is scored. */
interface Scored {
  readonly ids: Int32Array
  /** Positions whose log p counts. */
  readonly counted: readonly number[]
  readonly cut: number
}

export interface LocalModelOptions {
  /** Of several adapters, the one that is evaluated; null is the base alone. */
  readonly adapter?: AdapterChoice | undefined
  /** Optimiser steps that the weights have had beyond their files: the model is that of a run under way. */
  readonly step?: number
}

/** The adapter as the config names it. */
const adapterName = ({ config, adapterDir }: OpenModel) =>
  typeof config.adapter === 'string' ? config.adapter : adapterDir!

/** Facts of a model that is open; the files of its weights are read to the end, unless their hashes are kept. */
async function factsOf(open: OpenModel, { adapter, step }: LocalModelOptions): Promise<ModelFacts> {
  const { tokenizer, template, dtype, quantize } = modelIdentity(open)
  const hashes = step === undefined ? await open.hashFiles() : null
  const chosen = open.adapters ? (adapter === undefined ? open.adapters.active : adapter) : null
  return {
    name: open.name,
    endpoint: null,
    weights: hashes?.weights ?? null,
    adapter:
      chosen !== null
        ? { name: chosen, sha256: hashes?.adapters[chosen] ?? null }
        : open.adapterDir === null
          ? null
          : { name: adapterName(open), sha256: hashes?.adapter ?? null },
    template: open.template.name,
    templateHash: template,
    ...{ tokenizer, dtype, quantize },
    ...(step !== undefined && { step }),
  }
}

/** A model that is open here, through the engine that serves everything else. */
export class LocalModel implements EvalModel {
  readonly scoresInstructions = true

  private constructor(
    readonly facts: ModelFacts,
    readonly open: OpenModel,
    readonly generator: TextGenerator,
    readonly adapter: AdapterChoice | undefined,
  ) {}

  static async of(
    open: OpenModel,
    generator: TextGenerator,
    options: LocalModelOptions = {},
  ): Promise<LocalModel> {
    return new LocalModel(await factsOf(open, options), open, generator, options.adapter)
  }

  get concurrency(): number {
    return this.generator.load.most
  }

  /** Positions that a sequence may take. */
  get #room(): number {
    const { shape } = this.open
    return shape.maxPositions === null
      ? Infinity
      : shape.maxPositions - this.generator.virtualOf(this.adapter).places
  }

  async likelihoods(
    prompt: TaskPrompt,
    continuations: readonly string[],
    signal?: AbortSignal,
  ): Promise<ScoredChoices> {
    const sequences = await Promise.all(
      continuations.map((text) =>
        typeof prompt === 'string' ? this.#continued(prompt, text) : this.#begun(prompt, text),
      ),
    )
    const sums = await this.#sums(sequences, signal)
    const first = sequences[0]
    return {
      likelihoods: sums.map((logprob, i) => ({ logprob, tokens: sequences[i]!.counted.length })),
      promptTokens: first ? first.ids.length - first.counted.length : 0,
      cut: Math.max(0, ...sequences.map(({ cut }) => cut)),
    }
  }

  /** log p of what counts of each sequence; what they begin with is read once. */
  async #sums(sequences: readonly Scored[], signal: AbortSignal | undefined): Promise<number[]> {
    const { adapter } = this
    const texts = sequences.map(({ ids, counted }) => ({ ids, from: counted[0] ?? ids.length }))
    const scores = await this.generator.scoreAll(texts, {
      signal,
      ...(adapter !== undefined && { adapter }),
    })
    return sequences.map(({ counted }, i) =>
      counted.reduce((sum, at) => sum + scores[i]![at - texts[i]!.from]!, 0),
    )
  }

  /** Ids of a text with what the tokenizer puts around it, and how many of them are the text's. */
  async #framed(text: string): Promise<{ readonly ids: Int32Array; readonly own: number }> {
    const ids = await this.generator.encodeText(text)
    const { tokenizer } = this.open
    const around = tokenizer.frame
      ? tokenizer.frame.before.length + tokenizer.frame.after.length
      : tokenizer.addBos && tokenizer.bosId !== null
        ? 1
        : 0
    return { ids, own: ids.length - around }
  }

  /** A text and what follows it. */
  async #continued(text: string, continuation: string): Promise<Scored> {
    const blanks = text.length - text.trimEnd().length
    const context = text.slice(0, text.length - blanks)
    const whole = await this.#framed(text + continuation)
    let { ids } = whole
    let from = ids.length - whole.own
    if (context !== '') {
      // Of what the tokenizer makes of both together, so many are the context's.
      from += (await this.#framed(context)).own
    } else if (from === 0) {
      // Nothing stands before the first token: the token that texts begin with, or that ends them.
      const { bosId, eosId } = this.open.tokenizer
      const first = bosId ?? eosId
      if (first !== null) ids = Int32Array.of(first, ...ids)
      from = 1
    }
    const cut = Math.max(0, ids.length - this.#room)
    const start = Math.max(1, from - cut)
    const left = ids.slice(cut)
    return {
      ids: left,
      counted: Array.from({ length: left.length - start }, (_, i) => start + i),
      cut,
    }
  }

  /** An instruction and what its answer begins with, where training has it. */
  async #begun(prompt: Exclude<TaskPrompt, string>, continuation: string): Promise<Scored> {
    const example = answered(prompt, continuation.trimStart())
    const sample = await this.#sample(example, { maxLength: this.#room, trainOn: 'last', truncation: 'drop' })
    const { ids, labels } = sample
    const counted = [...labels.keys()].filter((at) => at > 0 && labels[at] !== ignoredLabel)
    // What ends an answer, and the blank that some templates write before it, is not what it begins with.
    const { ends, tokenizer } = this.open
    const isEnd = async (id: number) => ends.has(id) || (await tokenizer.decode([id])).trim() === ''
    while (counted.length > 1 && (await isEnd(ids[counted.at(-1)!]!))) counted.pop()
    return { ids: ids.slice(0, counted.at(-1)! + 1), counted, cut: 0 }
  }

  async #sample(example: Example, options: EncodeOptions): Promise<Sample> {
    const { template, tokenizer } = this.open
    const encoded = await encodeExample(example, template, tokenizer, options)
    if ('sample' in encoded) return encoded.sample
    throw new IftError(
      'IFT_SEQUENCE_TOO_LONG',
      encoded.dropped === 'long'
        ? `The example has more than the ${options.maxLength} tokens that are read.`
        : 'The example has no token that would be learned.',
      'Leave it out of the data.',
    )
  }

  async answer(prompt: TaskPrompt, generation: TaskGeneration, signal?: AbortSignal): Promise<ModelAnswer> {
    const { open, generator, adapter } = this
    const { until, maxNewTokens } = generation
    const whole = await generator.encode(prompt)
    const isText = typeof prompt === 'string'
    // The beginning of a text goes, as lm-evaluation-harness has it; an instruction that does not fit is refused.
    const cut = isText ? Math.max(0, whole.length - Math.max(1, this.#room - maxNewTokens)) : 0
    const ids = whole.slice(cut)
    // Special tokens are no text of an answer: they end it by their ids.
    const special = until.flatMap((text) => open.tokenizer.specials.get(text) ?? [])
    const options = {
      maxNewTokens,
      stop: until.filter((text) => !open.tokenizer.specials.has(text)),
      ...(isText ? { ignoreEnds: true, stopIds: [...open.ends, ...special] } : { stopIds: special }),
      ...(adapter !== undefined && { adapter }),
    }
    const answer = await generator.submit(ids, options, { signal })
    const { text, ids: written, finish } = await answer.result
    return {
      text,
      ended: finish === 'eos' ? 'end' : finish,
      tokens: written.length,
      promptTokens: ids.length,
      cut,
    }
  }

  async loss(example: Example, signal?: AbortSignal): Promise<TaskLoss> {
    const { maxLength, trainOn, truncation } = this.open.config
    const most = Math.min(maxLength, this.#room)
    const { ids, labels } = await this.#sample(example, { maxLength: most, trainOn, truncation })
    const counted = [...labels.keys()].filter((at) => at > 0 && labels[at] !== ignoredLabel)
    const [sum] = await this.#sums([{ ids, counted, cut: 0 }], signal)
    return { sum: -sum!, tokens: counted.length }
  }
}
