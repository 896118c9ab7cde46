import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { AblationReport } from '@ift/eval'
import { fences } from '../../scripts/docs/markdown.mjs'
import { caseFolder, root } from '../../test/cases/ift.fixture.js'

const here = join(root, 'examples/ablation')
const folder = caseFolder('ablation-example')
afterAll(() => {
  folder.remove()
})

test('the commands of the page run: fewer problems and steps, the same parts and tasks', () => {
  const [make, ablate] = fences(readFileSync(join(here, 'README.md'), 'utf8'))[0]!
    .text.trimEnd()
    .split('\n')
  const data = folder.path('data')
  const made = spawnSync(
    process.execPath,
    [...make!.split(' ').slice(1), '--out', data, '--train', '60', '--test', '6'],
    { cwd: root, encoding: 'utf8' },
  )
  expect(made.status, made.stderr).toBe(0)
  const config = JSON.parse(
    readFileSync(join(here, 'ift.config.json'), 'utf8').replaceAll('../../runs/ablation-data', data),
  ) as object
  const model = join(root, 'examples/quickstart/model')
  writeFileSync(folder.path('ift.config.json'), JSON.stringify({ ...config, weights: model, output: 'out' }))
  const words = ablate!
    .replaceAll('runs/ablation-data', data)
    .replace('@examples/ablation/', `@${here}/`)
    .split(' ')
    .slice(2)
  expect(words.slice(0, 3)).toEqual(['ablate', '-c', 'examples/ablation'])
  // The last of a flag counts.
  const short = ['--train.maxSteps', '2', '--max-new-tokens', '8', '--device', 'cpu']
  const { code, stderr } = folder.ift(['ablate', ...words.slice(3), ...short], { timeout: 100_000 })
  expect(code, stderr).toBe(0)
  const report = JSON.parse(folder.read('out/ablation.json')) as AblationReport
  expect(report.arms.map(({ name, changed }) => [name, changed])).toEqual([
    ['all', []],
    ['without cot', ['cot-en.jsonl', 'cot-zh.jsonl']],
    ['without lang:zh', ['cot-zh.jsonl', 'answers-zh.jsonl']],
  ])
  expect(report.tasks.map(({ name, items }) => [name, items])).toEqual([
    ['regex', 6],
    ['loss', 6],
  ])
  expect(existsSync(folder.path('out/ablation.html'))).toBe(true)
}, 120_000)
