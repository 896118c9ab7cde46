// @ts-check
// Python's clients against `ift serve` on SmolLM2-135M-Instruct: openai, and lm_eval's local-completions with the server's tokenizer over
// 200 sums, as likelihoods of four answers each and as generations. What lm_eval finds must be what ift's own `score` and `generate` give, to
// the last digit. Writes scripts/clients/result.json; exit code 1 where something differs.
//   node scripts/clients/run.mjs [--rows 200] [--venv ~/.cache/ift-clients] [--out scripts/clients/result.json]
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Ift, version } from '@ift/core'
import { realModel } from '../real-models/cache.mjs'

const packages = ['openai==2.54.0', 'lm_eval[api]==0.4.13']
const root = fileURLToPath(new URL('../..', import.meta.url))
const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '200' },
    venv: { type: 'string', default: join(homedir(), '.cache/ift-clients') },
    out: { type: 'string', default: join(root, 'scripts/clients/result.json') },
  },
})
const weights = realModel('smollm2-135m-instruct')
if (!weights) throw new Error('No SmolLM2-135M-Instruct: scripts/real-models/fetch')
const python = join(values.venv, 'bin/python')
const folder = mkdtempSync(join(tmpdir(), 'ift-clients-'))

/** @param {string} command @param {readonly string[]} args @param {import('node:child_process').SpawnSyncOptions} [options] */
function run(command, args, options = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    ...options,
  })
  return { status, stdout: String(stdout), stderr: String(stderr) }
}
/** @param {string} command @param {readonly string[]} args @param {import('node:child_process').SpawnSyncOptions} [options] */
function must(command, args, options) {
  const { status, stdout, stderr } = run(command, args, options)
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${status}\n${stderr}${stdout}`)
  return stdout
}

if (!existsSync(python)) must('python3', ['-m', 'venv', values.venv])
must(python, ['-m', 'pip', 'install', '-q', ...packages])

// Sums that a small model gets right now and then. The answers stand behind a blank, which belongs to them.
const shots = 'Sums.\n2 + 3 = 5\n10 + 4 = 14\n7 + 8 = 15\n'
const rows = Array.from({ length: Number(values.rows) }, (_, i) => {
  const [a, b] = [(i * 7) % 23, (i * 11 + 3) % 19]
  const answer = i % 4
  const choices = [0, 1, 2, 3].map((at) => String(a + b + (at - answer) * (1 + (i % 3))))
  return { question: `${shots}${a} + ${b} =`, choices, answer, sum: String(a + b) }
})
writeFileSync(join(folder, 'rows.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'))
const task = (/** @type {string} */ name, /** @type {object} */ fields) => {
  const shared = {
    task: name,
    dataset_path: 'json',
    dataset_kwargs: { data_files: { test: join(folder, 'rows.jsonl') } },
    test_split: 'test',
    doc_to_text: '{{question}}',
  }
  // JSON is YAML.
  writeFileSync(join(folder, `${name}.yaml`), JSON.stringify({ ...shared, ...fields }))
}
task('ift_choice', {
  output_type: 'multiple_choice',
  doc_to_choice: '{{choices}}',
  doc_to_target: '{{answer}}',
  metric_list: [{ metric: 'acc', aggregation: 'mean', higher_is_better: true }],
})
const mostTokens = 6
task('ift_generate', {
  output_type: 'generate_until',
  doc_to_target: ' {{sum}}',
  generation_kwargs: { until: ['\n'], max_gen_toks: mostTokens, temperature: 0, do_sample: false },
  metric_list: [{ metric: 'exact_match', aggregation: 'mean', higher_is_better: true }],
})

const cli = join(root, 'packages/cli/bin/ift.js')
const config = ['--weights', weights, '--device', 'cpu']
const server = spawn(process.execPath, [cli, 'serve', ...config, '--port', '0'], {
  stdio: ['ignore', 'ignore', 'pipe'],
})
let said = ''
const url = await new Promise((resolve, reject) => {
  server.once('exit', () => reject(new Error(said)))
  server.stderr.on('data', (data) => {
    said += data
    const ready = /Ready: (http:\S+)/.exec(said)
    if (ready) resolve(ready[1])
  })
})
const listed = /** @type {{ data: { id: string }[] }} */ (await (await fetch(`${url}/models`)).json())
const name = listed.data[0]?.id ?? ''

let client, likelihoods, generations, report
try {
  const asked = run(python, [join(root, 'scripts/clients/openai_client.py'), url, name])
  client = JSON.parse(asked.stdout || JSON.stringify({ failed: asked.stderr }))
  const args = `model=${name},base_url=${url}/completions,tokenizer_backend=remote,num_concurrent=4,max_retries=1`
  must(
    python,
    [
      ...[
        '-m',
        'lm_eval',
        '--model',
        'local-completions',
        '--model_args',
        args,
        '--tasks',
        'ift_choice,ift_generate',
      ],
      ...[
        '--include_path',
        folder,
        '--output_path',
        join(folder, 'out'),
        '--log_samples',
        '--batch_size',
        '1',
      ],
    ],
    { env: { ...process.env, HF_HUB_OFFLINE: '1', HF_DATASETS_OFFLINE: '1', HF_HOME: join(folder, 'hf') } },
  )
  const written = readdirSync(join(folder, 'out'), { recursive: true, encoding: 'utf8' })
  const read = (/** @type {RegExp} */ pattern) => {
    const file = written.find((one) => pattern.test(one))
    if (file === undefined) throw new Error(`lm_eval wrote none of ${pattern}: ${written}`)
    return readFileSync(join(folder, 'out', file), 'utf8')
  }
  const samples = (/** @type {RegExp} */ pattern) =>
    read(pattern)
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
      .sort((a, b) => a.doc_id - b.doc_id)
  report = JSON.parse(read(/results_.*\.json$/))
  likelihoods = samples(/samples_ift_choice_/).map(({ resps }) =>
    resps.map((/** @type {any} */ of) => Number(of[0][0])),
  )
  generations = samples(/samples_ift_generate_/).map(({ resps }) => String(resps[0][0]))
} finally {
  server.kill('SIGTERM')
  await new Promise((resolve) => server.once('exit', resolve))
}

// The same by ift alone: `score` of the verb, `generate` of the library.
const ift = await Ift.load({ cwd: root, config: { weights, device: 'cpu' } })
const open = await ift.openModel()
const encode = async (/** @type {string} */ text) => [...(await open.tokenizer.encode(text)).ids]
const pairs = []
for (const { question, choices } of rows)
  for (const choice of choices)
    pairs.push({ ids: await encode(`${question} ${choice}`), from: (await encode(question)).length })
const generator = await ift.createGenerator(open)
// The text as it is, white space in front included.
/** @type {string[]} */
const own = []
for (const { question } of rows) {
  const ids = Int32Array.from(await encode(question))
  const answer = await generator.submit(ids, { maxNewTokens: mostTokens, stop: ['\n'] })
  own.push((await answer.result).text)
}
await ift.close()
writeFileSync(join(folder, 'ids.jsonl'), pairs.map(({ ids }) => JSON.stringify({ ids })).join('\n'))
must(process.execPath, [
  ...[cli, 'score', ...config, '--input', join(folder, 'ids.jsonl')],
  ...['--output', join(folder, 'scores.jsonl')],
])
/** @type {(number | null)[][]} */
const scores = readFileSync(join(folder, 'scores.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line).logprobs)
const sums = pairs.map(({ from }, i) =>
  (scores[i] ?? []).slice(from).reduce((sum, one) => (sum ?? 0) + (one ?? 0), 0),
)
const differing = likelihoods
  .flat()
  .filter((/** @type {number} */ value, /** @type {number} */ i) => value !== sums[i])
const otherTexts = generations.filter((text, i) => text !== own[i])
const score = (/** @type {string} */ name, /** @type {string} */ metric) =>
  report.results[name][`${metric},none`]
const result = {
  ift: version,
  model: 'SmolLM2-135M-Instruct, Q4_1',
  openai: client,
  lm_eval: {
    version: report.lm_eval_version ?? packages[1],
    rows: rows.length,
    likelihoods: likelihoods.flat().length,
    likelihoods_that_differ: differing.length,
    generations: generations.length,
    generations_that_differ: otherTexts.length,
    acc: score('ift_choice', 'acc'),
    exact_match: score('ift_generate', 'exact_match'),
  },
}
writeFileSync(values.out, JSON.stringify(result, null, 2) + '\n')
console.log(JSON.stringify(result, null, 2))
if (otherTexts.length > 0) console.log(otherTexts.slice(0, 5), own.slice(0, 5))
if (differing.length > 0) console.log(likelihoods.flat().slice(0, 8), sums.slice(0, 8))
const share = [result.lm_eval.acc, result.lm_eval.exact_match]
const failed =
  Object.values(client.tried ?? { none: 'failed' }).some((value) => value !== 'ok') ||
  differing.length + otherTexts.length > 0 ||
  share.some((value) => value === 0 || value === 1)
rmSync(folder, { recursive: true, force: true })
process.exitCode = failed ? 1 : 0
