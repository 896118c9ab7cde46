/** What a step may depend on. */
export type TemplateCondition =
  /** There is a system message that says something. */
  | 'system'
  /** There is more than one question. */
  | 'rounds'
  /** The message is an answer; a result of a tool; the last one; of the first round. */
  | 'assistant'
  | 'tool'
  | 'last'
  | 'firstRound'
  /** The message before was an answer. */
  | 'answered'
  /** The text ends where an answer is to begin. */
  | 'ask'

/** A piece of the text, or of what a condition chooses. */
export type TemplateStep =
  | string
  | { readonly token: 'bos' | 'eos' }
  /** What the system messages say, joined by line ends; what the message says; the number of the round, from 0 or from 1. */
  | { readonly value: 'system' | 'content'; readonly trim?: boolean }
  | { readonly value: 'round'; readonly from: 0 | 1 }
  | {
      readonly when: TemplateCondition
      readonly then: readonly TemplateStep[]
      readonly otherwise?: readonly TemplateStep[]
    }

/** A template as data: what it writes before all, for every message that is no system message, and behind all. */
export interface TemplateProgram {
  readonly before: readonly TemplateStep[]
  readonly each: readonly TemplateStep[]
  readonly after: readonly TemplateStep[]
}

const isBos = (step: TemplateStep | undefined) =>
  typeof step === 'object' && 'token' in step && step.token === 'bos'

/** Steps without the bos that they begin with, which `instead` takes the place of. */
function withoutFirst(
  steps: readonly TemplateStep[],
  instead: readonly TemplateStep[],
): readonly TemplateStep[] {
  const [first, ...rest] = steps
  if (isBos(first)) return [...instead, ...rest]
  if (typeof first !== 'object' || !('when' in first)) return steps
  const { when, then, otherwise = [] } = first
  return [{ when, then: withoutFirst(then, instead), otherwise: withoutFirst(otherwise, instead) }, ...rest]
}

const isNothing = (steps: readonly TemplateStep[]): boolean =>
  steps.every(
    (step) =>
      typeof step === 'object' && 'when' in step && isNothing(step.then) && isNothing(step.otherwise ?? []),
  )

/** The program without the bos that its text begins with. */
export function withoutBos({ before, each, after }: TemplateProgram): TemplateProgram {
  if (!isNothing(before)) return { before: withoutFirst(before, []), each, after }
  const later: TemplateStep = { when: 'firstRound', then: [], otherwise: [{ token: 'bos' }] }
  return { before: [], each: eachWithout(each, later), after }
}

/** The bos of the first question alone is left out; one that stands between rounds is kept. */
function eachWithout(each: readonly TemplateStep[], later: TemplateStep): readonly TemplateStep[] {
  return each.map((step) => {
    if (typeof step !== 'object' || !('when' in step)) return step
    if (step.when !== 'assistant') return step
    return { ...step, otherwise: withoutFirst(step.otherwise ?? [], [later]) }
  })
}
