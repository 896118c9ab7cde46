import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { evaluate } from '../evaluate.js'
import { scriptedModel } from '../scripted-model.fixture.js'
import { tabFact } from './tabfact.js'
import { tabMwp } from './tabmwp.js'
import { wikiSql } from './wikisql.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../fixtures/${path}`, import.meta.url))

test('tabfact: labels by answer and by likelihood, with tables as clusters', async () => {
  const { model, asked } = scriptedModel({
    answer: (prompt) =>
      prompt.includes('kites won')
        ? ' Entailed.'
        : prompt.includes('rained')
          ? 'It is not entailed'
          : 'Who knows',
    logprob: (prompt, choice) => (choice === ' entailed' ? -1 : prompt.includes('from ulm') ? -0.5 : -2),
  })
  const [done] = await evaluate(model, [{ task: tabFact, data: fixture('tabfact') }])
  const { metrics } = done!.results
  expect(metrics['label']).toMatchObject({ mean: 1 / 3, n: 3, method: 'clustered' })
  expect(metrics['likelihood']!.mean).toBe(1)
  expect(done!.samples.map(({ extracted }) => extracted)).toEqual(['entailed', null, 'refuted'])
  expect(asked[0]).toContain(
    'Table: lake league\n| team | wins | city |\n| --- | --- | --- |\n| Red Kites | 12 | Ulm |\n| Blue Hares | 7 | Bern |\n\nStatement: the red kites won 12 games\nAnswer:',
  )
  expect(asked.some((prompt) => prompt.includes('| year | rain \\| mm |'))).toBe(true)
})

test('tabmwp: problems of one object, answers as their authors compare them', async () => {
  const answers: [RegExp, string][] = [
    [/pens/, '1,000 + 205 = 1,205. The answer is 1,205 pens.'],
    [/tea/, 'Ben sold 5. The answer is (B).'],
    [/cups/, 'The answer is $2.5'],
  ]
  const run = async (answer: (prompt: string) => string) =>
    (
      await evaluate(scriptedModel({ answer }).model, [{ task: tabMwp, data: fixture('tabmwp.invented') }])
    )[0]!
  const right = await run((prompt) => answers.find(([pattern]) => pattern.test(prompt))![1])
  expect(right.results.metrics['answer']).toMatchObject({ n: 3 })
  expect(right.samples.map(({ scores }) => scores['answer'])).toEqual([1, 1, 1])
  expect(right.results.groups['extractive_text']!['answer']!.mean).toBe(1)
  const wrong = await run(() => 'The answer is 3.')
  expect(wrong.results.metrics['answer']!.mean).toBe(0)
  const prompt = right.samples[1]!.question
  expect(prompt).toContain("Options: (A) Ann's shop (B) Ben's shop\nAnswer:")
})

test('wikisql: queries are executed, and values compared in any order', async () => {
  const run = async (answer: (prompt: string) => string, asked?: 'values') => {
    const { model, asked: prompts } = scriptedModel({ answer })
    const options = asked && { answer: asked }
    const [done] = await evaluate(model, [{ task: wikiSql, data: fixture('wikisql'), options }])
    return {
      ...done!,
      prompts,
      scores: done!.samples.map(({ scores }) => [scores['execution'], scores['form']]),
    }
  }
  const queries = await run((prompt) =>
    prompt.includes('Who plays for Bern')
      ? `SELECT "Player" FROM table WHERE "Club" = 'BERN'`
      : prompt.includes('best')
        ? 'SELECT Goals FROM t WHERE Player = "ada rot"'
        : 'SELECT COUNT(*) FROM t',
  )
  expect(queries.results.data.dropped).toEqual({ 'a query that finds nothing': 1 })
  expect(queries.scores).toEqual([
    [1, 1],
    [1, 0],
    [0, 0],
  ])
  expect(queries.prompts[0]).toContain('Columns: "Player" (text), "Goals" (number), "Club" (text)')
  const values = await run(
    (prompt) =>
      prompt.includes('Who plays for Bern')
        ? 'Cy Moor, Bo Lind.'
        : prompt.includes('best')
          ? 'The answer is 1,200.'
          : '2',
    'values',
  )
  expect(values.scores).toEqual([
    [1, null],
    [1, null],
    [0, null],
  ])
  expect(values.results.metrics['form']).toMatchObject({ mean: null, unscored: 3 })
  expect((await run(() => 'Bo Lind', 'values')).scores[0]).toEqual([0, null])
  expect((await run(() => 'nonsense')).scores).toEqual([
    [0, 0],
    [0, 0],
    [0, 0],
  ])
})
