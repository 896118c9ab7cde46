// @ts-check
// Writes the data of the ablation: problems of the quick start, two thirds of them with steps and one third with answers alone, a file for each
// of both and each language; test problems, and a validation set with problems of all four kinds.
//   node examples/ablation/make.mjs [--out FOLDER] [--train N] [--test N]
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { TEST_SEED } from '../quickstart/generate.mjs'
import { answerOnly, drawProblems, withSteps } from '../quickstart/problems/problem.mjs'

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: fileURLToPath(new URL('../../runs/ablation-data', import.meta.url)) },
    train: { type: 'string', default: '6000' },
    test: { type: 'string', default: '200' },
  },
})
const { out } = values
mkdirSync(out, { recursive: true })

/** @param {string} name @param {readonly object[]} rows */
const write = (name, rows) => {
  writeFileSync(join(out, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  console.log(`${rows.length} rows: ${join(out, name)}`)
}

/** Every third problem has no steps. @param {number} i */
const kindOf = (i) => (i % 3 === 2 ? 'answers' : 'cot')
const writtenAs = { cot: withSteps, answers: answerOnly }

const training = drawProblems({ seed: 0, count: Number(values.train), split: 'train' })
for (const kind of /** @type {const} */ (['cot', 'answers']))
  for (const language of ['en', 'zh'])
    write(
      `${kind}-${language}.jsonl`,
      training
        .filter((problem, i) => kindOf(i) === kind && problem.language === language)
        .map(writtenAs[kind]),
    )

const held = drawProblems({ seed: TEST_SEED, count: 2 * Number(values.test), split: 'test' })
/** @param {number} from */
const part = (from) => held.slice(from, from + Number(values.test))
write(
  'test.jsonl',
  part(0).map((problem) => ({ ...withSteps(problem), language: problem.language })),
)
write(
  'valid.jsonl',
  part(Number(values.test)).map((problem, i) => ({
    ...writtenAs[kindOf(i)](problem),
    tag: `${kindOf(i)} ${problem.language}`,
  })),
)
