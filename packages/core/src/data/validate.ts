import { IftError } from '@ift/tensor'
import { readExamples, type SourceOptions } from './build.js'
import { isInstruction, isMessages, type Example } from '../contract/data.js'

export interface DataProblem {
  /** `file:line`. */
  readonly where: string
  readonly code: string
  readonly message: string
  /** A record with an error cannot be read; one with a warning can. */
  readonly severity: 'error' | 'warning'
}

export interface ValidationReport {
  /** Examples that can be read. */
  readonly examples: number
  readonly errors: number
  readonly warnings: number
  /** The first of them, up to the limit. */
  readonly problems: readonly DataProblem[]
}

/** Reason why an example that can be read teaches nothing, or null. */
function warningOf(example: Example): string | null {
  if (isInstruction(example)) {
    if (example.output.trim() === '') return 'the output is empty: nothing but the end would be learned.'
    if (example.instruction.trim() === '') return 'the instruction is empty.'
    return null
  }
  if (!isMessages(example)) return null
  const answers = example.messages.filter(({ role }) => role === 'assistant')
  if (answers.length === 0) return 'the conversation has no answer: nothing would be learned.'
  if (answers.some(({ content, toolCalls }) => content.trim() === '' && !toolCalls))
    return 'an answer is empty.'
  if (example.messages.at(-1)!.role !== 'assistant') return 'the conversation ends without an answer.'
  return null
}

/** Reads everything and lists what is wrong, up to `maxProblems` problems; never throws for the content of a file. */
export async function validateData(
  path: string,
  options: SourceOptions & { readonly maxProblems?: number } = {},
): Promise<ValidationReport> {
  const { maxProblems = 100 } = options
  const problems: DataProblem[] = []
  const count = { examples: 0, error: 0, warning: 0 }
  const note = (severity: DataProblem['severity'], where: string, code: string, message: string) => {
    count[severity]++
    if (problems.length < maxProblems) problems.push({ where, code, message, severity })
  }
  const onProblem = (problem: IftError) => {
    const where = /^(.*?[:#]\d+): /s.exec(problem.message)?.[1] ?? path
    note(
      'error',
      where,
      problem.code,
      problem.message.startsWith(where) ? problem.message.slice(where.length + 2) : problem.message,
    )
  }
  try {
    for await (const { example, where } of readExamples(path, { ...options, onProblem })) {
      count.examples++
      const warning = warningOf(example)
      if (warning !== null) note('warning', where, 'IFT_DATA_WARNING', warning)
    }
  } catch (problem) {
    // A fault of the whole file ends the list.
    if (!(problem instanceof IftError) || problem.code.startsWith('IFT_SOURCE')) throw problem
    onProblem(problem)
  }
  return { examples: count.examples, errors: count.error, warnings: count.warning, problems }
}
