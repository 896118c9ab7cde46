// @ts-check
// Writes the training and test problems of the quick start:
//   node examples/quickstart/generate.mjs --out FOLDER [--seed N] [--train N] [--test N]
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { answerOnly, drawProblems, withSteps } from './problems/problem.mjs'

/** The held-out problems are the same for every training seed. */
export const TEST_SEED = 20_000_003

/** @param {readonly object[]} rows */
const jsonLines = (rows) => rows.map((row) => `${JSON.stringify(row)}\n`).join('')

/**
 * Writes `train-cot.jsonl` and `train-answers.jsonl` (the same problems in the same order, Alpaca rows) and
 * `test.jsonl` (`{ instruction, input, answer, kind, language, steps }`).
 *
 * @param {{ out: string, seed: number, train: number, test: number }} options
 * @returns {{ cot: string, answers: string, test: string }} the files' paths
 */
export const writeProblems = ({ out, seed, train, test }) => {
  mkdirSync(out, { recursive: true })
  const paths = {
    cot: join(out, 'train-cot.jsonl'),
    answers: join(out, 'train-answers.jsonl'),
    test: join(out, 'test.jsonl'),
  }
  const training = drawProblems({ seed, count: train, split: 'train' })
  const held = drawProblems({ seed: TEST_SEED, count: test, split: 'test' })
  writeFileSync(paths.cot, jsonLines(training.map(withSteps)))
  writeFileSync(paths.answers, jsonLines(training.map(answerOnly)))
  writeFileSync(
    paths.test,
    jsonLines(
      held.map(({ question, answer, kind, language, steps }) => ({
        instruction: question,
        input: '',
        answer,
        kind,
        language,
        steps,
      })),
    ),
  )
  return paths
}

const main = () => {
  const { values } = parseArgs({
    options: {
      out: { type: 'string' },
      seed: { type: 'string', default: '0' },
      train: { type: 'string', default: '6000' },
      test: { type: 'string', default: '300' },
    },
  })
  const [seed, train, test] = [Number(values.seed), Number(values.train), Number(values.test)]
  if (!values.out || ![seed, train, test].every((n) => Number.isSafeInteger(n) && n >= 0)) {
    console.error(
      'usage: node examples/quickstart/generate.mjs --out FOLDER [--seed N] [--train N] [--test N]',
    )
    process.exitCode = 2
    return
  }
  const paths = writeProblems({ out: values.out, seed, train, test })
  console.log(
    `${train} training problems: ${paths.cot}, ${paths.answers}\n${test} test problems: ${paths.test}`,
  )
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main()
