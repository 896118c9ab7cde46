import { defineDataset, IftError, readExamples, type DatasetDefinition, type IftPlugin } from '@ift/core'

const files = ['alpaca_data_cleaned.json', 'alpaca_data.json']

/** Stanford Alpaca: the cleaned file where there is one, else the first release. */
export const alpaca: DatasetDefinition = {
  name: 'alpaca',
  license: 'CC-BY-NC-4.0',
  source:
    'https://github.com/tatsu-lab/stanford_alpaca; cleaned: https://github.com/gururise/AlpacaDataCleaned',
  description: 'Self-instructed tasks of many kinds, answered by text-davinci-003.',
  tags: { lang: ['EN'], task: ['MT'], gen: ['SI'] },
  size: { count: 52_002, unit: 'instructions' },
  hub: 'yahma/alpaca-cleaned',
  async *load(context) {
    let path: string | null = null
    let missing: unknown
    for (const name of files) {
      try {
        path = await context.file(name)
        break
      } catch (cause) {
        if (!(cause instanceof IftError && cause.code === 'IFT_SOURCE_NOT_FOUND')) throw cause
        missing ??= cause
      }
    }
    if (path === null) throw missing
    for await (const { example } of readExamples(path, { format: 'alpaca' })) yield example
  },
}

export const plugin: IftPlugin = defineDataset(alpaca)
