import { afterAll, beforeAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel, type CaseFolder } from './ift.fixture.js'

let folder: CaseFolder
beforeAll(() => {
  folder = caseFolder('25-two-runs-one-folder')
})
afterAll(() => {
  folder.remove()
})

test('a command started twice with two seeds is one run', async () => {
  const run = (seed: number) =>
    folder.start([
      ...['train', '--weights', quickstartModel, '--template', 'alpaca', '--data', 'eight.jsonl'],
      ...[
        '--train.maxSteps',
        '30',
        '--train.batchSize',
        '4',
        '--train.saveEvery',
        '5',
        '--output',
        'out/run',
      ],
      ...['--device', 'cpu', '--train.seed', String(seed)],
    ])
  const ended = await Promise.all([run(1).ended, run(2).ended])
  const said = ended.map(({ stderr }) => stderr).join('\n')
  expect(ended.map(({ code }) => code).sort(), said).toEqual([0, 1])
  const won = ended.findIndex(({ code }) => code === 0)
  expect(ended[1 - won]!.stderr).toContain('IFT_RUN_EXISTS')
  const { config } = JSON.parse(folder.read('out/run/manifest.json')) as {
    config: { train: { seed: number } }
  }
  expect(config.train.seed).toBe(won + 1)
  expect(folder.lines('out/run/metrics.jsonl').length).toBe(30)
}, 60_000)
