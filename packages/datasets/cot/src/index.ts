import {
  DataRandom,
  defineDataset,
  IftError,
  readCsv,
  type DatasetContext,
  type DatasetDefinition,
  type IftPlugin,
  type InstructionExample,
} from '@ift/core'
import { cotTasks, templates, type CotTask, type TemplatePair } from './templates.js'

export { cotTasks, templates, type CotTask, type TemplatePair } from './templates.js'

/** One row of a task's TSV file. */
export interface CotRow {
  readonly question: string
  readonly answer: string
  readonly rationale: string
}

const header = ['question', 'answer', 'rationale'] as const

/**
 * A field as the original platform read it, with Python's csv module: quotes at its start enclose text in which two
 * stand for one, and what follows the closing quote is kept.
 */
export function unquote(field: string): string {
  const match = /^"((?:[^"]|"")*)"?(.*)$/s.exec(field)
  return match ? match[1]!.replaceAll('""', '"') + match[2]! : field
}

/** Rows of a `{task}_train.tsv`: three columns, some in quotes, line breaks written as the two characters \n. */
export async function* readRows(path: string): AsyncGenerator<CotRow> {
  for await (const { record } of readCsv(path, '\t', { header, quotes: false })) {
    const { question, answer, rationale } = record as unknown as CotRow
    yield { question: unquote(question), answer: unquote(answer), rationale: unquote(rationale) }
  }
}

/** The line breaks that the files write as the two characters \n. */
const decode = (text: string): string => text.replaceAll('\\n', '\n')

/** A row through a pair of templates, character by character as the files have it. */
export function format({ question, answer, rationale }: CotRow, pair: TemplatePair): InstructionExample {
  const columns: Readonly<Record<string, string>> = { question, answer, rationale }
  const fill = (template: string) =>
    template.replace(/\{(\w+)\}/g, (mark, name: string) => columns[name] ?? mark)
  return { instruction: fill(pair.instruction), input: '', output: fill(pair.output) }
}

/** The file of a task as the hub's collection has it, or in a folder by its name alone; null when there is none. */
async function taskFile(context: DatasetContext, task: CotTask): Promise<string | null> {
  const name = `${task}_train.tsv`
  for (const path of [`Chain-of-Thought/origin_cot_data/${name}`, name])
    try {
      return await context.file(path)
    } catch (cause) {
      if (!(cause instanceof IftError && cause.code === 'IFT_SOURCE_NOT_FOUND')) throw cause
    }
  return null
}

/**
 * Chain-of-thought rows of nine FLAN tasks, one after the other: each row through a seeded pair of its task's templates,
 * line breaks decoded. A folder may hold some of the tasks only; without any it is IFT_SOURCE_NOT_FOUND.
 */
export const cot: DatasetDefinition = {
  name: 'cot',
  license: 'Apache-2.0',
  source: 'https://github.com/google-research/FLAN, flan/v2/cot_data (Longpre et al. 2023, arXiv 2301.13688)',
  description: `Questions answered after a chain of thought: ${cotTasks.join(', ')}.`,
  tags: { lang: ['EN'], task: ['MT'], gen: ['HG'] },
  size: { count: 74_771, unit: 'questions' },
  hub: 'QingyiSi/Alpaca-CoT',
  async *load(context) {
    let found = false
    for (const task of cotTasks) {
      const path = await taskFile(context, task)
      if (path === null) continue
      found = true
      const pairs = templates[task]
      const random = new DataRandom('cot', context.seed, task)
      for await (const { question, answer, rationale } of readRows(path))
        yield format(
          { question: decode(question), answer: decode(answer), rationale: decode(rationale) },
          pairs[random.below(pairs.length)]!,
        )
    }
    if (!found)
      throw new IftError(
        'IFT_SOURCE_NOT_FOUND',
        `None of the files of the cot dataset was found: ${cotTasks.map((task) => `${task}_train.tsv`).join(', ')}.`,
        'Give the folder that holds them: data: { name: "cot", path: "…" }.',
      )
  },
}

export const plugin: IftPlugin = defineDataset(cot)
