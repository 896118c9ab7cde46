import {
  DataRandom,
  defineDataset,
  IftError,
  readCsv,
  type DatasetDefinition,
  type InstructionExample,
} from '@ift/core'

const columns = ['topic', 'question', 'passage', 'answer'] as const
type Row = Record<(typeof columns)[number], string>

/** Wordings of a question about a passage; the seed chooses one. */
const readings = [
  (question: string) => question,
  (question: string) => `Read the text and answer: ${question}`,
  (question: string) => `${question} Answer from the text below.`,
]

function checked(record: unknown, where: string): Row {
  const row = record as Partial<Row>
  for (const column of columns)
    if (row[column] === undefined)
      throw new IftError(
        'IFT_DATA_RECORD',
        `${where}: expected the columns ${columns.join(', ')}, found ${Object.keys(row).join(', ')}.`,
      )
  for (const column of ['question', 'answer'] as const)
    if (row[column]!.trim() === '')
      throw new IftError('IFT_DATA_RECORD', `${where}: ${column} is empty.`, 'Fill it in or delete the row.')
  return row as Row
}

/** Questions from the kitchen, some of them about a passage. */
export const kitchen: DatasetDefinition = {
  name: 'kitchen',
  license: 'Apache-2.0',
  source: 'Written for this example.',
  description: 'Short questions about cooking, some to be answered from a passage.',
  tags: { lang: ['EN'], task: ['MT'], gen: ['HG'] },
  size: { count: 17, unit: 'questions' },
  async *load(context) {
    const path = await context.file('kitchen.csv')
    const random = new DataRandom('kitchen', context.seed)
    for await (const { record, where } of readCsv(path, ',')) {
      const { question, passage, answer } = checked(record, where)
      const ask = passage === '' ? readings[0]! : readings[random.below(readings.length)]!
      yield { instruction: ask(question), input: passage, output: answer } satisfies InstructionExample
    }
  },
}

export const plugin = defineDataset(kitchen)
