import type { SampledAnswer } from '../../contract/train.js'
import { escapeHtml } from './chart.js'

/** Steps that are shown: the first, the last, and some between. */
const mostSteps = 5

/** The first and the last of a list, and some between, evenly spaced. */
function spread<T>(list: readonly T[], most: number): T[] {
  const count = Math.min(list.length, most)
  return Array.from(
    { length: count },
    (_, i) => list[count === 1 ? 0 : Math.round((i * (list.length - 1)) / (count - 1))]!,
  )
}

/** The answers to fixed prompts as the model learned: a row for each prompt, a column for each step. */
export function answersSection(answers: readonly SampledAnswer[]): string {
  if (answers.length === 0) return ''
  const steps = spread(
    [...new Set(answers.map(({ step }) => step))].sort((a, b) => a - b),
    mostSteps,
  )
  const prompts = new Map(answers.map(({ index, prompt }) => [index, prompt]))
  const isExpected = answers.some(({ expected }) => expected !== undefined)
  const cells = new Map(answers.map((answer) => [`${answer.step} ${answer.index}`, answer]))
  const head = ['prompt', ...steps.map((step) => (step === 0 ? 'step 0, before' : `step ${step}`))]
  const rows = [...prompts]
    .sort(([a], [b]) => a - b)
    .map(([index, prompt]) => {
      const found = steps.map((step) => cells.get(`${step} ${index}`))
      const shown = found.map((answer) =>
        answer === undefined ? '–' : `${answer.answer}${answer.ended === 'length' ? ' …' : ''}`,
      )
      const expected = found.find((answer) => answer?.expected !== undefined)?.expected ?? '–'
      return [prompt, ...shown, ...(isExpected ? [expected] : [])]
    })
  const line = (tag: string, texts: readonly string[]) =>
    `<tr>${texts.map((text) => `<${tag}>${escapeHtml(text)}</${tag}>`).join('')}</tr>`
  return `<section><h2>Answers while training</h2><div class="answers"><table>${line('th', isExpected ? [...head, 'in the data'] : head)}${rows
    .map((row) => line('td', row))
    .join('')}</table></div></section>`
}
