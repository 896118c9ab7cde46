import { noGrad, withInvariantRows, type Backend, type CausalLM } from '@ift/tensor'
import type { GenerateOptions, Generation } from '../contract/generate.js'
import { ignoredLabel } from '../data/encode.js'
import { packSamples } from '../data/pack.js'
import { Decoder } from '../generate/decoder.js'
import type { Fed, Feed } from '../generate/feeds.js'
import type { EngineDecoder } from '../generate/engine/job.js'
import { scoreTokens } from '../generate/score-tokens.js'
import { StepLogits } from '../generate/step-logits.js'
import { forwardBatch } from '../train/forward.js'
import { answersTo, engineOver } from './answers.js'
import { claim } from './claim.js'
import type { PeftBench, Subject } from './peft-bench.js'
import { logitsOfIds } from './peft-passes.js'

/** What is asked of a decoder where nothing is shared. */
type Decoding = Pick<Decoder, 'add' | 'fork' | 'remove' | 'feed'>

/** A decoder that engines can use, whose sequences share nothing, in as many pages as they like. */
abstract class Unshared implements Decoding, EngineDecoder {
  readonly adapters = null
  readonly pages = { size: 16, most: Infinity, held: 0, kept: 0 }

  constructor(
    readonly backend: Backend,
    readonly model: CausalLM,
  ) {}

  abstract add(): number
  abstract fork(sequence: number): number
  abstract remove(sequence: number): void
  abstract feed(feeds: readonly Feed[]): StepLogits

  begin(): { readonly sequence: number; readonly tokens: number } {
    return { sequence: this.add(), tokens: 0 }
  }

  end(sequence: number): void {
    this.remove(sequence)
  }

  pass(feeds: readonly Feed[]): Fed {
    const scores = this.feed(feeds)
    return {
      scores,
      logProbs: () => Promise.resolve([]),
      release() {
        scores.release()
      },
    }
  }

  pagesFor(): number {
    return 0
  }

  hasRoom(): boolean {
    return true
  }

  checkAdapter(): void {
    // There is none.
  }

  share(): void {
    // Nothing is.
  }

  forgetPrefixes(): void {
    // There are none.
  }
}

/** A decoder without a cache: every step computes whole sequences, as training does. */
class WholePasses extends Unshared {
  readonly #sequences = new Map<number, readonly number[]>()
  #next = 0

  constructor(readonly subject: Subject) {
    super(subject.backend, subject.model)
  }

  add(): number {
    this.#sequences.set(this.#next, [])
    return this.#next++
  }

  fork(sequence: number): number {
    this.#sequences.set(this.#next, this.#sequences.get(sequence)!)
    return this.#next++
  }

  remove(sequence: number): void {
    this.#sequences.delete(sequence)
  }

  feed(feeds: readonly Feed[]): StepLogits {
    const { model } = this.subject
    const samples = feeds.map(({ sequence, ids }) => {
      const all = [...this.#sequences.get(sequence)!, ...ids]
      this.#sequences.set(sequence, all)
      // The last row predicts a token, whichever it is, and is the one that is asked for.
      const labels = new Int32Array(all.length + 1).fill(ignoredLabel)
      labels[all.length] = 0
      return { ids: Int32Array.from([...all, 0]), labels }
    })
    const batch = packSamples(samples, false, model.promptOf?.bind(model))
    // As decoders compute: training may round otherwise, as in products of int8 weights.
    const logits = withInvariantRows(this.backend, () =>
      noGrad(() => forwardBatch(this.subject, batch, ({ hidden }) => model.lmHead.call(hidden))),
    )
    return new StepLogits(logits, true)
  }
}

/** What a decoder was asked for. */
type Call =
  | { readonly kind: 'add'; readonly sequence: number }
  | { readonly kind: 'remove'; readonly sequence: number }
  | { readonly kind: 'fork'; readonly sequence: number; readonly of: number }
  | { readonly kind: 'feed'; readonly feeds: readonly Feed[] }

/** Scores of the next token of so many sequences, one behind the other. */
interface Scores {
  readonly rows: number
  readonly values: Float32Array
}

/** A decoder that notes what it is asked for, so that another can be asked for the same. */
class Recorded extends Unshared {
  readonly #calls: Call[] = []

  constructor(readonly decoder: Decoder) {
    super(decoder.backend, decoder.model)
  }

  add(): number {
    const sequence = this.decoder.add()
    this.#calls.push({ kind: 'add', sequence })
    return sequence
  }

  fork(of: number): number {
    const sequence = this.decoder.fork(of)
    this.#calls.push({ kind: 'fork', sequence, of })
    return sequence
  }

  remove(sequence: number): void {
    this.decoder.remove(sequence)
    this.#calls.push({ kind: 'remove', sequence })
  }

  feed(feeds: readonly Feed[]): StepLogits {
    const copies = feeds.map(({ sequence, ids }) => ({ sequence, ids: Array.from(ids) }))
    this.#calls.push({ kind: 'feed', feeds: copies })
    return this.decoder.feed(feeds)
  }

  /** Asks a decoder for the same, and gives the scores of each pass. */
  async scoresOf(decoder: Decoding): Promise<readonly Scores[]> {
    const scores: Scores[] = []
    const own = new Map<number, number>()
    for (const call of this.#calls)
      if (call.kind === 'add') own.set(call.sequence, decoder.add())
      else if (call.kind === 'fork') own.set(call.sequence, decoder.fork(own.get(call.of)!))
      else if (call.kind === 'remove') decoder.remove(own.get(call.sequence)!)
      else {
        const feeds = call.feeds.map(({ sequence, ids }) => ({ sequence: own.get(sequence)!, ids }))
        const logits = decoder.feed(feeds)
        scores.push({ rows: feeds.length, values: joined(await logits.rows()) })
        logits.release()
      }
    return scores
  }
}

/** Answers of a decoder to some prompts: greedily one at a time and together, and by beams. */
async function answers(decoder: EngineDecoder, prompts: readonly (readonly number[])[]) {
  const engine = engineOver(decoder)
  const greedy = { doSample: false, maxNewTokens: 5 }
  const idsOf = ({ ids }: Generation) => [...ids]
  const each = async (options: GenerateOptions) => {
    const found: number[][] = []
    for (const prompt of prompts) found.push(idsOf(await engine.submit(prompt, options).result))
    return found
  }
  const alone = await each(greedy)
  const batch = (await answersTo(engine, prompts, greedy)).map(idsOf)
  const beams = await each({ ...greedy, numBeams: 3 })
  await engine.close()
  return { greedy: alone, batch, beams }
}

/** With a cache, one prompt at a time, several at once and by beams, the method generates what whole passes give. */
export function decoding(bench: PeftBench): Promise<void> {
  return bench.withTrained(async (attached) => {
    const { backend, model, peft, shape } = attached
    peft.setTraining(false)
    const prompts = bench.sequences(attached, [6, 4, 7])
    const decoder = new Decoder(backend, model, peft, shape, bench.base === 'bf16' ? 'bf16' : 'f32')
    try {
      await steps(bench, decoder, new WholePasses(attached), prompts)
      const recorded = new Recorded(decoder)
      const whole = new WholePasses(attached)
      const [found, expected] = [await answers(recorded, prompts), await answers(whole, prompts)]
      if (bench.base === 'bf16') {
        // Rounding decides between tokens that are almost as likely: each score that was chosen by is compared.
        const [scores, other] = [await recorded.scoresOf(decoder), await recorded.scoresOf(whole)]
        for (const [i, { rows, values }] of scores.entries())
          bench.near(`scores of the next token of ${rows} at once`, values, other[i]!.values, 1e-4)
        return
      }
      for (const way of ['greedy', 'batch', 'beams'] as const)
        for (const [i, ids] of expected[way].entries()) {
          const own = found[way][i]!.join()
          claim(own === ids.join(), `${way}, prompt ${i}: whole passes give ${ids.join()}, the cache ${own}.`)
        }
    } finally {
      decoder.release()
    }
  })
}

/** Scores of the next token, step by step and behind a fork. */
async function steps(
  bench: PeftBench,
  cached: Decoding,
  whole: Decoding,
  prompts: readonly (readonly number[])[],
): Promise<void> {
  const scores = async (decoder: Decoding) => {
    const found: Float32Array[] = []
    const feed = async (feeds: readonly Feed[]) => {
      const logits = decoder.feed(feeds)
      found.push(...(await logits.rows()).map((row) => row.slice()))
      logits.release()
    }
    const sequences = prompts.map(() => decoder.add())
    await feed(sequences.map((sequence, i) => ({ sequence, ids: prompts[i]! })))
    const forked = decoder.fork(sequences[0]!)
    await feed([...sequences, forked].map((sequence, i) => ({ sequence, ids: [i + 1] })))
    await feed([...sequences, forked].map((sequence, i) => ({ sequence, ids: [i + 2] })))
    for (const sequence of [...sequences, forked]) decoder.remove(sequence)
    return found
  }
  const [found, expected] = [await scores(cached), await scores(whole)]
  bench.near('scores of the next token', joined(found), joined(expected), 1e-4)
}

const joined = (rows: readonly Float32Array[]) => Float32Array.from(rows.flatMap((row) => [...row]))

/** Scores of the tokens of a text are those of a forward pass. */
export function scoring(bench: PeftBench): Promise<void> {
  return bench.withTrained(async (attached) => {
    const { backend, model, peft, shape } = attached
    peft.setTraining(false)
    const [ids] = bench.sequences(attached, [9])
    const logits = await withInvariantRows(backend, () => logitsOfIds(attached, [ids!]))
    const [first, ...found] = await scoreTokens(backend, model, peft, ids!)
    claim(first === null, `The first token has nothing before it, and the score ${first}.`)
    const expected = found.map((_, i) => {
      const row = logits.subarray(i * shape.vocab, (i + 1) * shape.vocab)
      const most = row.reduce((a, b) => Math.max(a, b))
      const sum = row.reduce((total, value) => total + Math.exp(value - most), 0)
      return row[ids![i + 1]!]! - most - Math.log(sum)
    })
    bench.near('scores', Float32Array.from(found as number[]), Float32Array.from(expected), 1e-4)
  })
}
