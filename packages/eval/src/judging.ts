import { createHash } from 'node:crypto'
import type { TaskContext, TaskDefinition } from '@ift/core'
import { called } from './documents.js'
import { agreement, judgedAgain, lengthCorrelation } from './judge/index.js'
import type { EvalSample, JudgeFacts, Judgement } from './results.js'

export interface JudgeMessage {
  readonly role: 'user' | 'assistant'
  readonly content: string
}

/** What a judge said, and what it cost. */
export interface JudgeReply {
  readonly text: string
  /** Whether it was asked in an earlier call. */
  readonly cached: boolean
  readonly promptTokens: number
  readonly replyTokens: number
  /** When it was asked, ISO 8601. */
  readonly date: string
}

/** A model that judges answers. It is asked as often as it is called, some at a time; the same messages cost once. */
export interface Judge {
  readonly model: string
  readonly url: string
  /** `repetition`: the same asked again, to see whether the judge agrees with itself. */
  ask(messages: readonly JudgeMessage[], signal?: AbortSignal, repetition?: number): Promise<JudgeReply>
}

/** Characters of an answer that a judge is shown: an answer of 4,096 tokens has some 16,000. */
export const mostJudgedCharacters = 32_000

/** Asks a judge about answers, and counts. */
export class Judging {
  /** Replies that were paid for in this call. */
  #paid = 0
  /** Those about the judge itself. */
  readonly #again: Judgement[] = []

  constructor(
    readonly judge: Judge,
    readonly task: TaskDefinition,
    readonly context: TaskContext,
  ) {}

  /** Hash of what decides the judge's scores beside the answer. */
  get key(): string {
    const { model, url } = this.judge
    return createHash('sha256')
      .update(JSON.stringify([model, url, this.task.judge!.again]))
      .digest('hex')
  }

  /** Scores of the judge about an answer, one for each prompt of the task. */
  async scores(
    document: unknown,
    answer: string,
    other: string | null,
    signal: AbortSignal | undefined,
    repetition = 0,
  ): Promise<Judgement[]> {
    const bounded = (text: string) => text.slice(0, mostJudgedCharacters)
    const answers = { answer: bounded(answer), other: other === null ? null : bounded(other) }
    const rules = this.task.judge!
    const prompts = called(this.task, 'judge.prompts', () => rules.prompts(document, answers, this.context))
    return Promise.all(prompts.map((prompt) => this.#score(prompt, signal, repetition)))
  }

  async #score(prompt: string, signal: AbortSignal | undefined, repetition: number): Promise<Judgement> {
    const { parse, again } = this.task.judge!
    const scoreOf = (reply: JudgeReply) => called(this.task, 'judge.parse', () => parse(reply.text))
    const asked: JudgeMessage[] = [{ role: 'user', content: prompt }]
    const first = await this.#ask(asked, signal, repetition)
    const score = scoreOf(first)
    const { date, promptTokens, replyTokens } = first
    if (score !== null) return { score, reply: first.text, replies: 1, promptTokens, replyTokens, date }
    const further: JudgeMessage[] = [
      { role: 'assistant', content: first.text },
      { role: 'user', content: again },
    ]
    const second = await this.#ask([...asked, ...further], signal, repetition)
    return {
      ...{ score: scoreOf(second), reply: second.text, replies: 2, date },
      promptTokens: promptTokens + second.promptTokens,
      replyTokens: replyTokens + second.replyTokens,
    }
  }

  async #ask(
    messages: readonly JudgeMessage[],
    signal: AbortSignal | undefined,
    repetition: number,
  ): Promise<JudgeReply> {
    const reply = await this.judge.ask(messages, signal, repetition)
    if (!reply.cached) this.#paid++
    return reply
  }

  /**
   * Whether the judge is to be trusted: how far it agrees with itself on a tenth of the items, and whether its scores go with the length of
   * answers.
   */
  async checks(
    items: readonly { readonly document: unknown; readonly sample: EvalSample }[],
    signal: AbortSignal | undefined,
  ): Promise<JudgeFacts['checks']> {
    const judged = items.filter(({ sample }) => (sample.judged?.length ?? 0) > 0)
    if (judged.length === 0) return {}
    const again = await Promise.all(
      judgedAgain(judged.length).map(async (index) => {
        const { document, sample } = judged[index]!
        const second = await this.scores(document, sample.answer ?? '', sample.other ?? null, signal, 1)
        this.#again.push(...second)
        return sample.judged!.map(({ score }, i) => [score, second[i]!.score] as const)
      }),
    )
    const { same, meanDistance } = agreement(
      again.flat().map(([first]) => first),
      again.flat().map(([, second]) => second),
    )
    return {
      'judged again with the same score': same,
      'mean distance of both scores': meanDistance,
      'rank correlation of score and length': this.task.compares
        ? null
        : lengthCorrelation(
            judged.map(({ sample }) => ({ answer: sample.answer ?? '', score: sample.judged![0]!.score })),
          ),
    }
  }

  /** What came of it, over all samples of the task, also those of earlier calls. */
  facts(samples: readonly EvalSample[], checks: JudgeFacts['checks']): JudgeFacts {
    const judged = samples.flatMap((sample) => sample.judged ?? [])
    const items = samples.filter((sample) => sample.judged !== undefined)
    const without = items.filter((sample) => sample.judged!.some(({ score }) => score === null)).length
    const all = [...judged, ...this.#again]
    const sum = (of: (judgement: Judgement) => number) => all.reduce((total, one) => total + of(one), 0)
    const replies = sum((one) => one.replies)
    return {
      model: this.judge.model,
      url: this.judge.url,
      date: all.map(({ date }) => date).sort()[0] ?? new Date().toISOString(),
      replies,
      cached: replies - this.#paid,
      repeats: sum((one) => one.replies - 1),
      promptTokens: sum((one) => one.promptTokens),
      replyTokens: sum((one) => one.replyTokens),
      unscored: items.length === 0 ? 0 : without / items.length,
      checks,
    }
  }
}
