import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AblationReport } from '@ift/eval'
import { caseFolder, quickstartModel, root } from '../../test/cases/ift.fixture.js'
import { fences } from './markdown.mjs'

// docs/ablation.md: every command of the page is run, one after the other, with the config of the page.

const blocks = fences(readFileSync(join(root, 'docs/ablation.md'), 'utf8'))
const lines = blocks.flatMap(({ text }) => text.split('\n').filter((line) => line.startsWith('npx ift ')))
const folder = caseFolder('ablation')
const report = (dir: string) => JSON.parse(folder.read(`${dir}/ablation.json`)) as AblationReport

beforeAll(() => {
  cpSync(quickstartModel, folder.path('model'), { recursive: true })
  writeFileSync(folder.path('ift.config.json'), blocks.find(({ language }) => language === 'json')!.text)
  const write = (name: string, rows: readonly object[]) => {
    writeFileSync(folder.path(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  }
  const rows = (text: string) =>
    Array.from({ length: 6 }, (_, i) => ({ instruction: `${text} ${i}`, output: `${i}`, language: text }))
  for (const name of ['steps', 'chinese', 'answers', 'extra']) write(`${name}.jsonl`, rows(name))
  write('test.jsonl', [...rows('say'), ...rows('请说')])
  write('valid.jsonl', rows('say'))
})
afterAll(() => {
  folder.remove()
})

test.each(lines)(
  '%s',
  (line) => {
    const words = [...line.slice('npx ift '.length).matchAll(/'([^']*)'|(\S+)/g)].map(
      ([, quoted, plain]) => quoted ?? plain!,
    )
    // Answers of a few tokens: how long they are is not what the page is about.
    const short = ['--max-new-tokens', '4', '--device', 'cpu']
    const { code, stdout, stderr } = folder.ift([...words, ...short], { timeout: 120_000 })
    expect(code, stderr).toBe(0)
    if (words.includes('--json')) expect(JSON.parse(stdout)).toMatchObject({ format: 1, equal: 'tokens' })
    else expect(stdout).toContain('without cot')
    expect(stderr).toContain('ablation.html')
  },
  150_000,
)

test('what came of them', () => {
  expect(report('run').arms.map(({ name }) => name)).toEqual([
    ...['all', 'without cot', 'without lang:zh', 'without answers'],
  ])
  expect(report('seeds')).toMatchObject({ seeds: [42, 43] })
  expect(report('seeds').cells[1]!.groups).toHaveProperty('请说')
  expect(report('added').arms.map(({ name }) => name)).toEqual(['all', 'with extra.jsonl'])
  expect(existsSync(folder.path('run/without-lang-zh/seed-42/eval/loss/results.json'))).toBe(true)
})
