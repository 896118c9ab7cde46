import { computed, signal, type Signal } from '@preact/signals'
import { score, type ChatMessage } from '../../api/completions.js'
import { bodyOf, history, historyRead, newId, save, titleOf, united } from '../../app/history.js'
import { json, stored } from '../../app/stored.js'
import { write } from '../chat/answer-writer.js'
import { models, modelNamed } from '../chat/models.js'
import { defaults, type Parameters } from '../chat/parameters.js'
import {
  isComparison,
  isEnded,
  natsOf,
  type Comparison,
  type Round,
  type Scores,
  type Side,
} from './comparison.js'

type Name = 'a' | 'b'

const last = stored<Pick<Comparison, 'a' | 'b' | 'system' | 'parameters'>>(
  'compare.settings',
  () => ({ a: null, b: null, system: '', parameters: { ...defaults, maxTokens: 256 } }),
  json((value): value is Pick<Comparison, 'a' | 'b' | 'system' | 'parameters'> =>
    isComparison({ ...(value as object), version: 1, rounds: [] }),
  ),
)

/** A comparison that is open. */
export class CompareSession {
  readonly comparison: Signal<Comparison>
  readonly #under = signal<ReadonlyMap<string, AbortController>>(new Map())
  readonly isWriting = computed(() => this.#under.value.size > 0)
  #created = Date.now()
  /** Prompts are asked one after the other, both sides of each at once. */
  #queue: Promise<void> = Promise.resolve()

  constructor(
    readonly id: string,
    comparison: Comparison = { version: 1, ...last.peek(), rounds: [] },
  ) {
    this.comparison = signal(comparison)
    const entry = history.peek().find((one) => one.id === id)
    if (entry) this.#created = entry.created
  }

  /** The model of a side; of B the first adapter where none is chosen. */
  model(name: Name) {
    const chosen = this.comparison.value[name]
    if (name === 'b' && !models.value.some(({ id }) => id === chosen))
      return models.value[1] ?? models.value[0] ?? null
    return modelNamed(chosen)
  }

  set(
    change: Partial<Pick<Comparison, 'a' | 'b' | 'system'>> & { readonly parameters?: Partial<Parameters> },
  ): void {
    const { parameters, ...rest } = change
    const now = this.comparison.value
    const next = { ...now, ...rest, parameters: { ...now.parameters, ...parameters } }
    this.comparison.value = next
    last.value = { a: next.a, b: next.b, system: next.system, parameters: next.parameters }
    void this.#keep()
  }

  /** Asks both sides each of some prompts. */
  ask(prompts: readonly string[]): void {
    const rounds = prompts.map((text): Round => ({
      ...{ id: newId(), text, a: null, b: null },
      scores: null,
    }))
    this.comparison.value = { ...this.comparison.value, rounds: [...this.comparison.value.rounds, ...rounds] }
    for (const { id } of rounds) this.#later(id, ['a', 'b'])
  }

  /** Asks a prompt again, with another text where there is one, or one side of it that failed. */
  again(
    id: string,
    { text, sides = ['a', 'b'] }: { readonly text?: string; readonly sides?: readonly Name[] } = {},
  ): void {
    this.#change(id, (round) => ({
      ...round,
      ...(text !== undefined && { text }),
      ...Object.fromEntries(sides.map((name) => [name, null])),
      scores: null,
    }))
    this.#later(id, sides)
  }

  stop(): void {
    this.#stopped++
    for (const under of this.#under.value.values()) under.abort()
  }

  #stopped = 0

  #later(id: string, sides: readonly Name[]): void {
    const asked = this.#stopped
    this.#queue = this.#queue.then(async () => {
      if (asked !== this.#stopped) return
      await Promise.all(sides.map((name) => this.#write(id, name)))
      await this.#score(id)
      await this.#keep()
    })
  }

  #messages(text: string): readonly ChatMessage[] {
    const { system } = this.comparison.value
    return [
      ...(system.trim() === '' ? [] : [{ role: 'system' as const, content: system }]),
      { role: 'user', content: text },
    ]
  }

  #change(id: string, change: (round: Round) => Round): void {
    const { value } = this.comparison
    this.comparison.value = {
      ...value,
      rounds: value.rounds.map((round) => (round.id === id ? change(round) : round)),
    }
  }

  #round = (id: string) => this.comparison.value.rounds.find((round) => round.id === id)

  async #write(id: string, name: Name): Promise<void> {
    const round = this.#round(id)
    const model = this.model(name)
    if (!round || !model) return
    const { parameters } = this.comparison.value
    const key = `${id} ${name}`
    const under = new AbortController()
    this.#under.value = new Map(this.#under.value).set(key, under)
    const show = (side: Side) => this.#change(id, (one) => ({ ...one, [name]: side }))
    let waiting: Side | null = null
    const draw = () => {
      if (waiting) show(waiting)
      waiting = null
    }
    try {
      const written = await write({
        asked: {
          ...parameters,
          // The same on both sides, whatever it is.
          ...{
            model: model.id,
            seed: parameters.seed ?? seedOfRound(id),
            goesOn: false,
            probabilities: true,
            tools: [],
          },
          messages: this.#messages(round.text),
        },
        signal: under.signal,
        onChange: (side) => {
          if (waiting === null) requestAnimationFrame(draw)
          waiting = side
        },
      })
      waiting = null
      show(written)
    } finally {
      const rest = new Map(this.#under.value)
      rest.delete(key)
      this.#under.value = rest
    }
  }

  /** Each answer by both models. A model that cannot score leaves its column empty. */
  async #score(id: string): Promise<void> {
    const round = this.#round(id)
    const [a, b] = [this.model('a'), this.model('b')]
    if (!round || !a || !b) return
    const { a: sideA, b: sideB } = round
    const messages = this.#messages(round.text)
    const by = async (side: Side | null, model: string): Promise<number | null> => {
      if (!isEnded(side) || side.content === '') return null
      const { tokens, reasoning } = side.answer
      if (side.answer.model === model && tokens !== null && reasoning === '') return natsOf(tokens)
      return score(model, messages, side.content, { top: 0 }).then(natsOf, () => null)
    }
    const scores: Scores = {
      ...{ aByA: await by(sideA, a.id), aByB: await by(sideA, b.id) },
      ...{ bByA: await by(sideB, a.id), bByB: await by(sideB, b.id) },
    }
    this.#change(id, (one) => ({ ...one, scores }))
  }

  async #keep(): Promise<void> {
    const comparison = this.comparison.value
    if (comparison.rounds.length === 0) return
    const title =
      history.peek().find(({ id }) => id === this.id)?.title ?? titleOf(comparison.rounds[0]!.text)
    await save(
      { ...{ id: this.id, kind: 'compare', title, created: this.#created }, updated: Date.now() },
      comparison,
      (ours, theirs) =>
        isComparison(theirs) ? { ...ours, rounds: united(ours.rounds, theirs.rounds) } : ours,
    )
  }
}

/** Where no seed is chosen, each prompt has one of its own, the same on both sides. */
const seedOfRound = (id: string): number => Number.parseInt(id.slice(0, 8), 16) || 0

const open = new Map<string, CompareSession>()

export async function comparisonOf(id: string): Promise<CompareSession> {
  const found = open.get(id)
  if (found) return found
  await historyRead
  const body = await bodyOf(id)
  const session = isComparison(body) ? new CompareSession(id, ended(body)) : new CompareSession(id)
  open.set(id, session)
  return session
}

export function newComparison(): CompareSession {
  const session = new CompareSession(newId())
  open.set(session.id, session)
  return session
}

/** What was being written when the page closed was stopped by that. */
function ended(comparison: Comparison): Comparison {
  const side = (one: Side | null): Side | null =>
    one?.answer.end === 'writing' ? { ...one, answer: { ...one.answer, end: 'stopped' } } : one
  return {
    ...comparison,
    parameters: { ...defaults, ...comparison.parameters },
    rounds: comparison.rounds.map((round) => ({ ...round, a: side(round.a), b: side(round.b) })),
  }
}
