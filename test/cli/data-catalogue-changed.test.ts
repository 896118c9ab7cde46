import { writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel } from '../cases/ift.fixture.js'

const folder = caseFolder('data-catalogue-changed')
afterAll(() => {
  folder.remove()
})

/** A plugin with datasets of these names, each of which a selection `name:tea-*` takes. */
const register = (...names: string[]) =>
  folder.plugin(
    'teas',
    `for (const name of ${JSON.stringify(names)})
      ift.hooks.dataset.for(name).tap(name, () => ({
        name, license: 'MIT', source: 'us', description: name, tags: { lang: ['EN'], task: ['TS'], gen: ['HG'] },
        async *load() { for (let i = 0; i < 8; i++) yield { instruction: name + i, input: '', output: 'cup ' + i } },
      }))`,
  )

const config = (data: unknown, maxSteps: number) => {
  writeFileSync(
    folder.path('ift.config.json'),
    JSON.stringify({
      ...{ weights: quickstartModel, template: 'alpaca', plugins: ['./teas.mjs'], output: 'run', data },
      ...{ device: 'cpu', peft: { method: 'lora' } },
      train: { batchSize: 4, maxSteps, schedule: 'constant' },
    }),
  )
}
const resume = () => folder.ift(['train', '--resume'])
const selection = [{ select: 'name:tea-*' }]

test('a run on a selection goes on with the names of its manifest, and says what changed where the selection takes others', () => {
  register('tea-black', 'tea-green')
  config(selection, 2)
  expect(folder.ift(['train']).stderr).toContain('select: name:tea-*: tea-black, tea-green.')
  const { config: begun } = JSON.parse(folder.read('run/manifest.json')) as { config: { data: unknown } }

  // A set was added.
  register('tea-black', 'tea-white', 'tea-green')
  const added = resume()
  expect(added.code).toBe(2)
  expect(added.stderr).toContain('it was begun with the datasets tea-black, tea-green; new: tea-white.')
  expect(added.stderr).toMatch(/Write data as .*manifest\.json has it into the config/)

  // With the names of the manifest the run goes on, whatever the catalogue has beside them.
  config(begun.data, 2)
  const named = resume()
  expect(named.stderr).toContain('Resuming from')
  expect(named.code).toBe(0)

  // A name moved: with the selection it is told, with the names the one that is gone.
  register('tea-black', 'tea-verde')
  config(selection, 2)
  expect(resume().stderr).toContain('new: tea-verde; no longer taken: tea-green.')
  config(begun.data, 2)
  const moved = resume()
  expect(moved.code).toBe(2)
  expect(moved.stderr).toContain('No dataset plugin provides "tea-green".')
})
