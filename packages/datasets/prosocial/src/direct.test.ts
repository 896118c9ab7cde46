import { fileURLToPath } from 'node:url'
import { datasetsOf } from '@ift/core/testing'
import { expect, test } from 'vitest'
import { plugin } from './index.js'

const path = fileURLToPath(new URL('../fixtures/direct/train.invented.json', import.meta.url))

test.each([
  ['prosocial', ['You may miss things you need later.']],
  ['prosocial-safety', ['needs caution']],
  ['prosocial-rots', ['You should go to school.']],
])('%s: the file of the authors, a list of dialogs', async (name, answers) => {
  const dataset = datasetsOf(plugin).find((one) => one.name === name)!
  const made = []
  for await (const example of dataset.load({ rootDir: '.', seed: 1, file: () => Promise.resolve(path) }))
    made.push('messages' in example ? example.messages[1]!.content : 'output' in example && example.output)
  expect(made).toEqual(answers)
})
