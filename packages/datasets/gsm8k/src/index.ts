import {
  definePlugin,
  defineDataset,
  IftError,
  readExamples,
  type DatasetContext,
  type DatasetDefinition,
  type InstructionExample,
  type IftPlugin,
} from '@ift/core'

// The original repository's file, then the hub's.
const files = ['train.jsonl', 'main/train-00000-of-00001.parquet']

async function findFile(context: DatasetContext): Promise<string> {
  let missing: unknown
  for (const name of files)
    try {
      return await context.file(name)
    } catch (cause) {
      if (!(cause instanceof IftError && cause.code === 'IFT_SOURCE_NOT_FOUND')) throw cause
      missing ??= cause
    }
  throw missing
}

/** "16 - 3 = <<16-3=13>>13" without what the calculator wrote. */
export const withoutCalculator = (answer: string): string => answer.replace(/<<[^<>]*>>/g, '')

/** The solution, and "#### N" as a sentence. */
export function solution(answer: string): string {
  const match = /\n?####\s*(.+?)\s*$/.exec(answer)
  return match ? `${answer.slice(0, match.index).trimEnd()}\nThe answer is ${match[1]!}.` : answer
}

const define = (name: string, description: string, answer: (raw: string) => string): DatasetDefinition => ({
  name,
  license: 'MIT',
  source: 'https://github.com/openai/grade-school-math (Cobbe et al. 2021, arXiv 2110.14168)',
  description,
  tags: { lang: ['EN'], task: ['TS'], gen: ['HG'] },
  size: { count: 7473, unit: 'problems' },
  hub: 'openai/gsm8k',
  async *load(context) {
    const path = await findFile(context)
    const columns = { instruction: 'question', output: 'answer' }
    for await (const { example } of readExamples(path, { format: 'alpaca', columns })) {
      const problem = example as InstructionExample
      yield { ...problem, output: answer(problem.output) }
    }
  },
})

/** Problems with their solutions in words; the last line is "The answer is N." */
export const gsm8k = define('gsm8k', 'Grade school arithmetic problems with solutions step by step.', (raw) =>
  solution(withoutCalculator(raw)),
)

/** As published: calculator marks `<<…>>` and "#### N" at the end. */
export const gsm8kRaw = define(
  'gsm8k-raw',
  'Grade school arithmetic problems; solutions as published, with calculator marks and #### before the result.',
  (raw) => raw,
)

export const plugin: IftPlugin = definePlugin('@ift/dataset-gsm8k', (host) => {
  // A package named by its path stands for the dataset that it registers last.
  host.use(defineDataset(gsm8kRaw)).use(defineDataset(gsm8k))
})
