import { columns, defineCollection, through, type Field } from '@ift/core/collection'

/** "16 - 3 = <<16-3=13>>13" without what the calculator wrote. */
const withoutCalculator = (answer: string): string => answer.replace(/<<[^<>]*>>/g, '')

/** The solution, and "#### N" as a sentence. */
function solution(answer: string): string {
  const whole = answer.trimEnd()
  const inLastLine = whole.indexOf('####', whole.lastIndexOf('\n') + 1)
  const at = inLastLine >= 0 ? inLastLine : whole.lastIndexOf('####')
  const number = at >= 0 ? whole.slice(at + 4).trim() : ''
  if (number === '' || number.includes('\n')) return answer
  return `${whole.slice(0, at).trimEnd()}\nThe answer is ${number}.`
}

/** The file of the original repository, or that of the hub. */
const problems = (output: Field) => ({
  files: [['train.jsonl', 'main/train-00000-of-00001.parquet']],
  read: columns({ instruction: 'question', output }),
})

/** Problems with solutions in words, and with solutions as published. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  gsm8k: problems(through('answer', withoutCalculator, solution)),
  'gsm8k-raw': problems('answer'),
})
