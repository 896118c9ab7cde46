import { IftError } from '@ift/core'
import { bellePrompts, withoutReference } from './belle-prompts.js'

/** The name of a class as data and prompts share it: files write `open QA`, `open qa` and `closed\u00a0qa`. */
export const belleClass = (name: string): string =>
  name.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim()

/** Whether answers of a class can be judged. */
export const hasBellePrompt = (name: string): boolean => bellePrompts.has(belleClass(name))

export interface BelleQuestion {
  /** As in the data. */
  readonly class: string
  readonly question: string
  /** The standard answer; left out for classes that are judged without. */
  readonly reference: string
  readonly answer: string
}

/** What a judge is asked about an answer of Belle-eval. Throws IFT_DATA_RECORD for a class that has no prompt. */
export function bellePrompt({ class: name, question, reference, answer }: BelleQuestion): string {
  const key = belleClass(name)
  const prompt = bellePrompts.get(key)
  if (prompt === undefined)
    throw new IftError(
      'IFT_DATA_RECORD',
      `Belle-eval has no class ${JSON.stringify(name.slice(0, 100))}; its classes are ${[...bellePrompts.keys()].join(', ')}.`,
      'Check the field "class" of the record.',
    )
  return [
    prompt,
    `问题：${question}`,
    ...(withoutReference.has(key) ? [] : [`标准答案：${reference}`]),
    `模型回答：${answer}`,
  ].join('\n')
}

/** What a judge is told whose reply has no score. */
export const scoreAgain = '只输出 得分:X，X 是 0 到 1 之间的数。'
