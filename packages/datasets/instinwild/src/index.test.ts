import { fileURLToPath } from 'node:url'
import { collectionConformance, datasetsOf } from '@ift/core/testing'
import { expect, test } from 'vitest'
import { plugin } from './index.js'

for (const { name, run } of collectionConformance(plugin, new URL('..', import.meta.url))) test(name, run)

test.each([
  ['as it is', 'user_1.jsonl'],
  ['with escapes that JSON has not, and CRLF', 'user_2.invented.jsonl'],
  ['all files', 'user_*.jsonl'],
])(
  'the second release, of questions alone, is refused with the files that are answered: %s',
  async (_, name) => {
    const second = new URL(`../fixtures/v2/data_v2/${name}`, import.meta.url)
    const load = async () => {
      for await (const _ of datasetsOf(plugin)[0]!.load({
        rootDir: '.',
        seed: 1,
        file: () => Promise.resolve(fileURLToPath(second)),
      }))
        continue
    }
    await expect(load()).rejects.toMatchObject({
      code: 'IFT_DATA_RECORD',
      message: expect.stringContaining('the answered set is instinwild_en.json') as string,
    })
  },
)
