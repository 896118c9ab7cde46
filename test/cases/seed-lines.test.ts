import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel, root } from './ift.fixture.js'

// Lines of the original's README run with nothing changed but the name of the script. Hub ids stand for tiny models in a cache of
// Hugging Face's layout; ./data holds the original's converted file.

const folder = caseFolder('seed-lines')
const [single, several] = [folder.path('single'), folder.path('several')]
const fixtures = (name: string) => join(root, 'fixtures', name)
const env = { HF_HUB_CACHE: folder.path('hub'), HF_HUB_OFFLINE: '1', IFT_DEVICE: 'cpu' }
const lines = folder
  .read('command-lines.txt')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))

const verbs: Readonly<Record<string, string>> = {
  uniform_finetune: 'train',
  generate: 'generate',
  merge: 'merge',
  server: 'chat',
  predict: 'predict',
  web: 'serve --alpaca-cot',
}

/** A line as it is typed here: the words behind `npx`. */
function typed(line: string, places: Readonly<Record<string, string>> = {}): string[] {
  const [, launcher = '', script, rest] =
    /^python3 (?:-m torch\.distributed\.launch (.*) )?(\w+)\.py (.*)$/.exec(line)!
  const words = [...verbs[script!]!.split(' '), ...launcher.split(' ').filter(Boolean), ...rest!.split(' ')]
  return words.map((word) => places[word] ?? word)
}

const linesOf = (script: string, launched = false) =>
  lines.filter((line) => line.includes(`${script}.py`) && line.includes('distributed') === launched)

function publish(id: string, from: string): void {
  const repository = folder.path('hub', `models--${id.replace('/', '--')}`)
  const commit = '0123456789abcdef0123456789abcdef01234567'
  mkdirSync(join(repository, 'refs'), { recursive: true })
  writeFileSync(join(repository, 'refs/main'), commit)
  cpSync(from, join(repository, 'snapshots', commit), { recursive: true })
}

/** A ChatGLM-6B of random values with a tokenizer of its family. */
function tinyChatGlm(): string {
  const base = folder.path('chatglm-base')
  mkdirSync(base)
  const json = JSON.parse(readFileSync(fixtures('chatglm/chatglm1/config.json'), 'utf8')) as object
  const sizes = {
    vocab_size: 720,
    max_sequence_length: 512,
    gmask_token_id: 5,
    bos_token_id: 8,
    eos_token_id: 9,
  }
  writeFileSync(join(base, 'config.json'), JSON.stringify({ ...json, ...sizes }))
  for (const file of readdirSync(fixtures('chat/chatglm1')))
    if (/^(tokenizer.*|ice_text\.model)$/.test(file))
      copyFileSync(fixtures(`chat/chatglm1/${file}`), join(base, file))
  writeFileSync(folder.path('one.json'), JSON.stringify([{ instruction: 'a', input: '', output: 'b' }]))
  folder.output(
    ...['train', '--weights', './chatglm-base', '--initialize', '--peft.method', 'none', '--device', 'cpu'],
    ...['--data', './one.json', '--train.maxSteps', '1', '--output', './chatglm-run'],
  )
  return folder.path('chatglm-run/model')
}

const inFolder =
  (cwd: string) =>
  (words: readonly string[], input = '') => {
    const { code, stdout, stderr } = folder.ift(words, { cwd, env, input, timeout: 110_000 })
    expect(code, `ift ${words.join(' ')}\n${stderr}${stdout}`).toBe(0)
    return { stdout, stderr }
  }

const runOf = (cwd: string, model: string) => join(cwd, 'ift-runs', `${model}-alpaca-belle-cot-lora`)
const models = { llama: 'llama-7b-hf', chatglm: 'chatglm-6b', bloom: 'bloomz-7b1-mt' }

beforeAll(() => {
  publish('decapoda-research/llama-7b-hf', quickstartModel)
  publish('bigscience/bloomz-7b1-mt', fixtures('bloom/tiny'))
  publish('THUDM/chatglm-6b', tinyChatGlm())
  const records = Array.from({ length: 8 }, (_, i) => ({
    instruction: `say ${i}`,
    input: '',
    output: `number ${i}`,
  }))
  for (const cwd of [single, several]) {
    mkdirSync(join(cwd, 'data'), { recursive: true })
    writeFileSync(join(cwd, 'data/alcapa_plus_belle_plus_cot.json'), JSON.stringify(records))
  }
}, 120_000)
afterAll(() => {
  folder.remove()
})

test('the file holds the lines of the README', () => {
  expect(lines).toHaveLength(13)
  expect(linesOf('uniform_finetune')).toHaveLength(3)
  expect(linesOf('uniform_finetune', true)).toHaveLength(3)
})

test.each(linesOf('uniform_finetune'))(
  '%s',
  (line) => {
    inFolder(single)(typed(line))
  },
  120_000,
)

test('training took what the flags say', () => {
  const config = (model: string) =>
    JSON.parse(readFileSync(join(runOf(single, model), 'adapter/adapter_config.json'), 'utf8')) as object
  expect(config(models.llama)).toMatchObject({ r: 8, lora_alpha: 16, target_modules: ['q_proj', 'v_proj'] })
  expect(config(models.chatglm)).toMatchObject({ r: 32, lora_alpha: 32, lora_dropout: 0.1 })
  const manifest = JSON.parse(readFileSync(join(runOf(single, models.chatglm), 'manifest.json'), 'utf8')) as {
    config: { train: { batchSize: number; learningRate: number; epochs: number } }
  }
  expect(manifest.config.train).toMatchObject({ batchSize: 64, learningRate: 2e-5, epochs: 1 })
})

test.each(linesOf('generate'))(
  '%s',
  (line) => {
    const { stdout, stderr } = inFolder(single)(typed(line), 'say 3\nsay 4\n')
    expect(stderr).toMatch(/adapter: .*ift-runs/)
    expect(stdout.split('\n').length).toBeGreaterThanOrEqual(2)
  },
  60_000,
)

test.each(linesOf('merge'))(
  '%s',
  (line) => {
    inFolder(single)(
      typed(line, { LORA_DIR: join(runOf(single, models.llama), 'adapter'), MERGED_DIR: 'merged' }),
    )
    expect(existsSync(join(single, 'merged/config.json'))).toBe(true)
  },
  60_000,
)

test.each(linesOf('server'))(
  '%s',
  (line) => {
    const places = { LORA_DIR: join(runOf(single, models.chatglm), 'adapter') }
    inFolder(single)(typed(line, places), 'say 3\n/exit\n')
  },
  60_000,
)

test.each(linesOf('predict'))(
  '%s',
  (line) => {
    writeFileSync(
      join(single, 'dict.json'),
      '[{"instruction":"say 1","input":""},{"instruction":"say 2","input":""}]',
    )
    const adapter = join(runOf(single, models.chatglm), 'adapter')
    inFolder(single)(typed(line, { LORA_DIR: adapter, DATA_FILE: 'dict.json', RESULT_FILE: 'result.txt' }))
    const answers = readFileSync(join(single, 'result.txt'), 'utf8').trim().split('\n')
    expect(answers.map((answer) => (JSON.parse(answer) as { instruction: string }).instruction)).toEqual([
      'say 1',
      'say 2',
    ])
  },
  60_000,
)

test.each(linesOf('web'))(
  '%s',
  async (line) => {
    const words = typed(line, { LORA_DIR: join(runOf(single, models.chatglm), 'adapter') })
    const running = folder.start([...words, '--port', '0', '--generate.maxNewTokens', '4'], { env })
    let stderr = ''
    running.child.stderr!.on('data', (data: Buffer) => (stderr += data.toString()))
    await running.until(() => stderr.includes('Ready'))
    const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(stderr)!
    expect(await (await fetch(url)).json()).toEqual({ Hello: 'World' })
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(url, { method: 'POST', headers, body: '{"prompt": "say 3"}' })
    expect(await answer.json()).toMatchObject({ status: 200, response: expect.any(String) as string })
    expect((await fetch(`${url}/query/hello`)).status).toBe(405)
    running.child.kill('SIGTERM')
    expect(await running.ended).toMatchObject({ code: 0 })
  },
  60_000,
)

const mpi = spawnSync('mpirun', ['--version'], { encoding: 'utf8' }).status === 0
if (!mpi) console.log('skipped: runs of several CPU ranks need mpirun (apt-get install openmpi-bin)')

test.skipIf(!mpi).each(linesOf('uniform_finetune', true))(
  '%s',
  (line) => {
    const { stderr } = inFolder(several)(typed(line))
    expect(stderr).toContain('× 4 processes')
  },
  120_000,
)
