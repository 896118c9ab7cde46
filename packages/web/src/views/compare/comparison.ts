import type { Answer } from '../chat/tree.js'
import type { Parameters } from '../chat/parameters.js'

/** What one side answered. */
export interface Side {
  readonly content: string
  readonly answer: Answer
}

/** Mean nats per token of each answer, by each model; null where it could not be scored. */
export interface Scores {
  readonly aByA: number | null
  readonly aByB: number | null
  readonly bByA: number | null
  readonly bByB: number | null
}

/** A prompt with the answers of both sides. */
export interface Round {
  readonly id: string
  readonly text: string
  readonly a: Side | null
  readonly b: Side | null
  readonly scores: Scores | null
}

/** Two models on the same prompts, each prompt by itself. */
export interface Comparison {
  readonly version: 1
  readonly a: string | null
  readonly b: string | null
  readonly system: string
  readonly parameters: Parameters
  readonly rounds: readonly Round[]
}

/** Whether something that was imported is a comparison. */
export function isComparison(value: unknown): value is Comparison {
  if (typeof value !== 'object' || value === null) return false
  const { version, rounds, parameters, system } = value as Partial<Record<keyof Comparison, unknown>>
  const isSide = (side: unknown) =>
    side === null ||
    (typeof side === 'object' && typeof (side as Partial<Side>).content === 'string' && 'answer' in side)
  return (
    version === 1 &&
    typeof system === 'string' &&
    typeof parameters === 'object' &&
    parameters !== null &&
    Array.isArray(rounds) &&
    rounds.every(
      (round: Partial<Round> | null) =>
        typeof round?.id === 'string' && typeof round.text === 'string' && isSide(round.a) && isSide(round.b),
    )
  )
}

const mean = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length

/** Nats per token: lower is more expected. */
export const natsOf = (tokens: readonly { readonly logprob: number }[]): number | null =>
  mean(tokens.map(({ logprob }) => -logprob))

const tokensOf = ({ answer }: Side): number => answer.usage?.completion ?? answer.count

/** What all prompts say together, of those that both sides have answered. */
export function summary(
  rounds: readonly Round[],
  repeats: (side: Side) => boolean,
  changed: (round: Round) => number,
) {
  const whole = rounds.filter(({ a, b }) => isEnded(a) && isEnded(b))
  const of = (name: 'a' | 'b') => whole.map((round) => round[name]!)
  const count = (name: 'a' | 'b', is: (side: Side) => boolean) => of(name).filter(is).length
  const both = (value: (name: 'a' | 'b') => number | null) => ({ a: value('a'), b: value('b') })
  return {
    count: whole.length,
    tokens: both((name) => mean(of(name).map(tokensOf))),
    ended: both((name) => count(name, ({ answer }) => answer.end === 'ended')),
    repeats: both((name) => count(name, repeats)),
    changed: mean(whole.map(changed)),
  }
}

/** Whether a side has its answer, and not an error. */
export const isEnded = (side: Side | null): side is Side =>
  side !== null && side.answer.end !== 'writing' && side.answer.end !== 'failed'

/** Prompts of a file: a line each, or JSON with prompt, instruction and input, question, text, or the first message of a user. */
export function promptsOf(text: string, name: string): readonly string[] {
  const rows = /\.jsonl?$/i.test(name) ? jsonRows(text) : text.split(/\r?\n/)
  return rows
    .map(promptOf)
    .filter((prompt) => prompt.trim() !== '')
    .slice(0, 200)
}

function jsonRows(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? (value as unknown[]) : [value]
  } catch {
    return text
      .split(/\r?\n/)
      .filter((line) => line.trim() !== '')
      .map((line): unknown => {
        try {
          return JSON.parse(line)
        } catch {
          return line
        }
      })
  }
}

function promptOf(row: unknown): string {
  if (typeof row === 'string') return row
  if (typeof row !== 'object' || row === null) return ''
  const fields = row as Readonly<Record<string, unknown>>
  const text = (key: string) => (typeof fields[key] === 'string' ? fields[key] : '')
  const instruction = text('instruction')
  if (instruction !== '') return [instruction, text('input')].filter((part) => part !== '').join('\n\n')
  const messages = fields['messages'] ?? fields['conversations']
  if (Array.isArray(messages)) {
    const first = messages.find(
      (one: Record<string, unknown> | null) => one?.['role'] === 'user' || one?.['from'] === 'human',
    ) as Record<string, unknown> | undefined
    const content = first?.['content'] ?? first?.['value']
    return typeof content === 'string' ? content : ''
  }
  return ['prompt', 'question', 'text', 'query'].map(text).find((one) => one !== '') ?? ''
}
