import { expect, test } from 'vitest'
import type { OpenModel } from '@ift/core'
import { Models } from './models.js'

const open = { name: './models/zh', adapters: { names: ['zh', 'cot'] } } as unknown as OpenModel

test('an adapter has another name than the model', () => {
  expect(() => new Models(open, {})).toThrow(expect.objectContaining({ code: 'IFT_ADAPTER_NAME' }))
  const models = new Models(open, { name: 'llama' })
  expect(models.list().map(({ id }) => id)).toEqual(['llama', 'zh', 'cot'])
  expect(models.named('zh').adapter).toBe('zh')
  expect(models.named('base').adapter).toBeNull()
})
