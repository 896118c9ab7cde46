import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Ift } from '@ift/core'
import { caseFolder, quickstartModel, root } from './ift.fixture.js'

const folder = caseFolder('13-completion-prompt-ends-in-space')
afterAll(() => {
  folder.remove()
})

/** SentencePiece's BPE, and a BPE of bytes that cuts white space by what follows it. */
const models = {
  quickstart: { weights: quickstartModel },
  bytes: { weights: join(root, 'fixtures/cases/06-end-of-turn-runs-on/model'), initialize: true },
}

/** Ids and labels of every record of a file in training, and the ids that predict gives for its prompt. */
async function encoded(
  model: keyof typeof models,
  template: string | undefined,
  file: string,
  count: number,
) {
  const ift = await Ift.load({
    cwd: folder.dir,
    config: {
      ...models[model],
      ...(template === undefined ? {} : { template }),
      data: folder.path(file),
      maxLength: 400,
    },
  })
  try {
    const { data } = await ift.openData()
    const generator = await ift.createGenerator()
    const records = folder.lines(file) as { prompt: string }[]
    expect(data.train.count).toBe(count)
    return await Promise.all(
      records.map(async ({ prompt }, i) => ({
        ...data.train.sample(i),
        prompt: await generator.encode({ instruction: prompt, input: '' }),
      })),
    )
  } finally {
    await ift.close()
  }
}

async function holds(model: keyof typeof models, template: string | undefined, file: string, count: number) {
  for (const { ids, labels, prompt } of await encoded(model, template, file, count)) {
    expect([...ids.subarray(0, prompt.length)]).toEqual([...prompt])
    expect([...labels.subarray(0, prompt.length)]).toEqual([...prompt].map(() => -100))
    // A chat template may write a line end behind the token that ends the answer.
    const end = labels.findLastIndex((label) => label !== -100) + 1
    expect(end).toBeGreaterThanOrEqual(ids.length - 1)
    expect([...labels.subarray(prompt.length, end)]).toEqual([...ids.subarray(prompt.length, end)])
  }
}

test('the record of the case: what follows the prompt of predict is trained', async () => {
  await holds('quickstart', 'completion', 'pairs.jsonl', folder.lines('pairs.jsonl').length)
})

const ends = ['a ', 'a  ', 'a\n', 'a\n\n', 'a \n ', 'The answer: ', '12', 'hel', 'a\t', '###\n\n\n', '"']
const answers = ['chat noir', ' chat', '\nchat', '\n\nchat', '345', 'lo there', '  x', '."', 'é', '汉字']
const pairs = ends.flatMap((prompt) => answers.map((completion) => ({ prompt, completion })))
writeFileSync(folder.path('all.jsonl'), pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(''))

test.each([
  ['quickstart', 'completion'],
  ['quickstart', 'plain'],
  ['quickstart', 'alpaca'],
  ['quickstart', 'belle'],
  ['bytes', 'completion'],
  ['bytes', 'plain'],
  ['bytes', undefined],
] as const)('every border of prompt and answer: %s, %s', async (model, template) => {
  await holds(model, template, 'all.jsonl', pairs.length)
})
