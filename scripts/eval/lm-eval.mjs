// @ts-check
// `npx ift eval` beside lm-evaluation-harness, both over SmolLM2-135M-Instruct: lm_eval's local-completions asks `ift serve`, `ift eval` asks
// the same server and the model itself. The tasks are the harness's own gsm8k and its template of mmlu, with invented rows in their layout: sums as
// problems, and questions with four choices. Every likelihood and every answer must be the same, and so must the scores; exit code 1
// where one is not, or where a score is 0 or 1. Writes scripts/eval/lm-eval.json.
//   node scripts/eval/lm-eval.mjs [--rows 200] [--venv ~/.cache/ift-clients] [--out scripts/eval/lm-eval.json]
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { version } from '@ift/core'
import { realModel } from '../real-models/cache.mjs'

const packages = ['lm_eval[api]==0.4.13']
const shots = 2
const mostTokens = 48
const root = fileURLToPath(new URL('../..', import.meta.url))
const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '200' },
    venv: { type: 'string', default: join(homedir(), '.cache/ift-clients') },
    out: { type: 'string', default: join(root, 'scripts/eval/lm-eval.json') },
  },
})
const count = Number(values.rows)
const weights = realModel('smollm2-135m-instruct')
if (!weights) throw new Error('No SmolLM2-135M-Instruct: scripts/real-models/fetch')
const python = join(values.venv, 'bin/python')
const folder = mkdtempSync(join(tmpdir(), 'ift-lm-eval-'))

/** @param {string} command @param {readonly string[]} args @param {import('node:child_process').SpawnSyncOptions} [options] */
function must(command, args, options = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    ...options,
  })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${status}\n${stderr}${stdout}`)
  return String(stdout)
}
if (!existsSync(python)) must('python3', ['-m', 'venv', values.venv])
must(python, ['-m', 'pip', 'install', '-q', ...packages])

/** @param {string} name @param {readonly object[]} rows */
const lines = (name, rows) => {
  const path = join(folder, name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return path
}
/** A problem of two sums. @param {number} i */
const problem = (i) => {
  const [a, b] = [(i * 7) % 23, (i * 11 + 3) % 19]
  return {
    question: `There are ${a} pears in a basket, and ${b} more are put in. How many pears are in the basket?`,
    answer: `There are ${a} + ${b} = ${a + b} pears.\n#### ${a + b}`,
  }
}
/** A question with four choices. @param {number} i */
const question = (i) => {
  const [a, b] = [(i * 5) % 17, (i * 3 + 2) % 13]
  const answer = (i * 7) % 4
  const choices = [0, 1, 2, 3].map((at) => String(a + b + (at - answer) * (1 + (i % 3))))
  return { question: `What is ${a} plus ${b}?`, choices, answer, subject: 'plain_sums' }
}
const range = (/** @type {number} */ from, /** @type {number} */ to) =>
  Array.from({ length: to - from }, (_, i) => from + i)
const files = {
  gsm8k: [
    lines('gsm8k/test.jsonl', range(10, 10 + count).map(problem)),
    lines('gsm8k/train.jsonl', range(0, 5).map(problem)),
  ],
  mmlu: [
    lines('mmlu/test.jsonl', range(10, 10 + count).map(question)),
    lines('mmlu/dev.jsonl', range(0, 5).map(question)),
  ],
}

// The harness's own definitions, over these files.
const installed = must(python, ['-c', 'import lm_eval, os; print(os.path.dirname(lm_eval.__file__))']).trim()
/** A definition of the harness, read by its own reader. @param {string} path @returns {Record<string, unknown>} */
const definition = (path) =>
  JSON.parse(
    must(python, [
      '-c',
      'import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1], encoding="utf-8"))))',
      join(installed, path),
    ]),
  )
/** @param {string} name @param {object} task */
// JSON is YAML.
const write = (name, task) =>
  writeFileSync(join(folder, `${name}.yaml`), JSON.stringify({ ...task, task: name }))
/** @param {readonly (string | undefined)[]} of @param {string} split */
const local = ([test, dev], split) => ({
  dataset_path: 'json',
  dataset_name: null,
  dataset_kwargs: { data_files: { test, [split]: dev } },
  fewshot_split: split,
  fewshot_config: { sampler: 'first_n' },
  num_fewshot: shots,
})
const gsm8k = definition('tasks/gsm8k/gsm8k.yaml')
write('ift_gsm8k', {
  ...gsm8k,
  ...local(files.gsm8k, 'train'),
  generation_kwargs: { .../** @type {object} */ (gsm8k['generation_kwargs']), max_gen_toks: mostTokens },
})
const description = 'The following are multiple choice questions (with answers) about plain sums.\n\n'
write('ift_mmlu', {
  ...definition('tasks/mmlu/default/_default_template_yaml'),
  ...local(files.mmlu, 'dev'),
  description,
})

const cli = join(root, 'packages/cli/bin/ift.js')
const config = ['--weights', weights, '--device', 'cpu']
const server = spawn(process.execPath, [cli, 'serve', ...config, '--port', '0', '--quiet'], {
  stdio: ['ignore', 'ignore', 'pipe'],
})
let said = ''
/** @type {string} */
const url = await new Promise((resolve, reject) => {
  server.once('exit', () => reject(new Error(said)))
  server.stderr.on('data', (data) => {
    said += data
    const ready = /Ready: (http:\S+)/.exec(said)
    if (ready?.[1]) resolve(ready[1])
  })
})
const listed = /** @type {{ data: { id: string }[] }} */ (await (await fetch(`${url}/models`)).json())
const name = listed.data[0]?.id ?? ''
/** @param {readonly string[]} how @param {string} output */
const evaluated = (how, output) => {
  for (const [task, [test, dev]] of Object.entries(files))
    must(process.execPath, [
      ...[cli, 'eval', task, '--data', String(test), '--shots-data', String(dev), '--shots', String(shots)],
      ...[...how, '--output', join(folder, output)],
      ...(task === 'gsm8k' ? ['--max-new-tokens', String(mostTokens)] : []),
    ])
  const read = (/** @type {string} */ task) => ({
    results: JSON.parse(readFileSync(join(folder, output, task, 'results.json'), 'utf8')),
    samples: readFileSync(join(folder, output, task, 'samples.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  })
  return { gsm8k: read('gsm8k'), mmlu: read('mmlu') }
}
/** @type {any} */ let report
/** @type {{ gsm8k: any[], mmlu: any[] }} */ let harness
let overServer
try {
  const args = `model=${name},base_url=${url}/completions,tokenizer_backend=remote,num_concurrent=4,max_retries=1`
  const env = { ...process.env, HF_HUB_OFFLINE: '1', HF_DATASETS_OFFLINE: '1', HF_HOME: join(folder, 'hf') }
  must(
    python,
    [
      ...['-m', 'lm_eval', '--model', 'local-completions', '--model_args', args],
      ...['--tasks', 'ift_gsm8k,ift_mmlu', '--include_path', folder, '--output_path', join(folder, 'out')],
      ...['--log_samples', '--batch_size', '1'],
    ],
    { env },
  )
  overServer = evaluated(['--endpoint', url], 'server')
} finally {
  server.kill('SIGTERM')
  await new Promise((resolve) => server.once('exit', resolve))
}
const written = readdirSync(join(folder, 'out'), { recursive: true, encoding: 'utf8' })
const read = (/** @type {RegExp} */ pattern) => {
  const file = written.find((one) => pattern.test(one))
  if (file === undefined) throw new Error(`lm_eval wrote none of ${pattern}: ${written}`)
  return readFileSync(join(folder, 'out', file), 'utf8')
}
const samples = (/** @type {RegExp} */ pattern) => {
  /** @type {Map<number, any>} */
  const found = new Map()
  for (const line of read(pattern).split('\n').filter(Boolean)) {
    const sample = JSON.parse(line)
    found.set(sample.doc_id, sample)
  }
  return [...found.values()].sort((a, b) => a.doc_id - b.doc_id)
}
report = JSON.parse(read(/results_.*\.json$/))
harness = { gsm8k: samples(/samples_ift_gsm8k_/), mmlu: samples(/samples_ift_mmlu_/) }
const here = evaluated(config, 'here')

/** @param {typeof here} found */
function compare(found) {
  const likelihoods = harness.mmlu.flatMap(({ resps }) =>
    resps.map((/** @type {any} */ of) => Number(of[0][0])),
  )
  const own = found.mmlu.samples.flatMap((sample) =>
    sample.likelihoods.map((/** @type {any} */ of) => of.logprob),
  )
  const texts = harness.gsm8k.map(({ resps }) => String(resps[0][0]))
  const answers = found.gsm8k.samples.map((sample) => sample.answer)
  const scores = {
    'gsm8k strict': [
      report.results.ift_gsm8k['exact_match,strict-match'],
      found.gsm8k.results.metrics.strict.mean,
    ],
    'gsm8k flexible': [
      report.results.ift_gsm8k['exact_match,flexible-extract'],
      found.gsm8k.results.metrics.flexible.mean,
    ],
    'mmlu acc': [report.results.ift_mmlu['acc,none'], found.mmlu.results.metrics.acc.mean],
    'mmlu acc_stderr': [report.results.ift_mmlu['acc_stderr,none'], found.mmlu.results.metrics.acc.se],
  }
  return {
    likelihoods: likelihoods.length,
    likelihoods_that_differ: likelihoods.filter((value, i) => value !== own[i]).length,
    answers: texts.length,
    answers_that_differ: texts.filter((text, i) => text !== answers[i]).length,
    scores,
  }
}
const result = {
  ift: version,
  lm_eval: report.lm_eval_version ?? packages[0],
  model: 'SmolLM2-135M-Instruct, Q4_1',
  rows: count,
  shots,
  'ift eval --endpoint': compare(overServer),
  'ift eval --weights': compare(here),
}
writeFileSync(values.out, JSON.stringify(result, null, 2) + '\n')
console.log(JSON.stringify(result, null, 2))
const failed = [result['ift eval --endpoint'], result['ift eval --weights']].some(
  ({ likelihoods, likelihoods_that_differ, answers, answers_that_differ, scores }) =>
    likelihoods !== 4 * count ||
    answers !== count ||
    likelihoods_that_differ + answers_that_differ > 0 ||
    Object.values(scores).some(
      ([theirs, ours]) => Math.abs(theirs - ours) > 1e-12 || ours === 0 || ours === 1,
    ),
)
rmSync(folder, { recursive: true, force: true })
process.exitCode = failed ? 1 : 0
