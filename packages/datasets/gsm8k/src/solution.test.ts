import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { datasetsOf } from '@ift/core/testing'
import { expect, test } from 'vitest'
import { plugin } from './index.js'

const [gsm8k] = datasetsOf(plugin).filter(({ name }) => name === 'gsm8k')

async function outputs(...answers: readonly string[]): Promise<readonly unknown[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ift-gsm8k-'))
  try {
    const lines = answers.map((answer) => JSON.stringify({ question: 'q', answer }))
    writeFileSync(join(folder, 'train.jsonl'), lines.join('\n'))
    const made = []
    for await (const example of gsm8k!.load({
      rootDir: folder,
      seed: 1,
      file: (name) => Promise.resolve(join(folder, name)),
    }))
      made.push(example)
    return made.map((example) => (example as { output: string }).output)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

test('the number behind the last mark, where there is one', async () => {
  expect(
    await outputs(
      'a <<1+1=2>>2\n#### 2',
      'a #### 1,000 \n\n',
      '#### 5',
      'a\n####\n 5',
      'a #### b\nc\n#### 5 #### 6',
      'a ####',
      'a',
      '#### 5\nb',
    ),
  ).toEqual([
    'a 2\nThe answer is 2.',
    'a\nThe answer is 1,000.',
    '\nThe answer is 5.',
    'a\nThe answer is 5.',
    'a #### b\nc\nThe answer is 5 #### 6.',
    'a ####',
    'a',
    '#### 5\nb',
  ])
})

test('in a time that grows with the answer', async () => {
  const long = 1_000_000
  for (const answer of [
    `a #### b${' '.repeat(long)}c`,
    `${'#### '.repeat(long / 5)}\nb\nc`,
    `####${'\n'.repeat(long)}b\nc`,
    `a${'\n'.repeat(long)}b`,
    '<<'.repeat(long / 2),
  ])
    expect(await outputs(answer)).toHaveLength(1)
})
