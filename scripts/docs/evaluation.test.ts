import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel, root } from '../../test/cases/ift.fixture.js'
import { cells, fences } from './markdown.mjs'

// docs/evaluation.md: every command of the page is run, in one folder, with the data of the package's tests.

const page = readFileSync(join(root, 'docs/evaluation.md'), 'utf8')
const folder = caseFolder('evaluation')
const fixtures = (name: string) => join(root, 'packages/eval/fixtures', name)
const asked = fences(page).flatMap(({ language, text }) =>
  language === 'sh' ? text.split('\n').filter((line) => /^npx ift (eval|serve) /.test(line)) : [],
)
const own = ['--template', 'alpaca', '--device', 'cpu']
const wordsOf = (line: string) =>
  [...line.replace(/^npx ift /, '').matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)

/** A judge that likes everything. */
const judge = createHttp((request, response) => {
  request.resume()
  request.on('end', () => {
    const message = { role: 'assistant', content: '得分:0.8 结论:A' }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ choices: [{ index: 0, finish_reason: 'stop', message }] }))
  })
})
let judgeUrl = ''

beforeAll(async () => {
  await new Promise<void>((listening) => judge.listen(0, '127.0.0.1', listening))
  judgeUrl = `http://127.0.0.1:${(judge.address() as AddressInfo).port}/v1`
  cpSync(quickstartModel, folder.path('model'), { recursive: true })
  for (const name of ['gsm8k', 'mmlu'])
    cpSync(fixtures(`${name}.invented`), folder.path(name), { recursive: true })
  // Those of one form: a file that is trained on has one.
  const records = readFileSync(fixtures('own.invented/answers.jsonl'), 'utf8').split('\n')
  writeFileSync(folder.path('own.jsonl'), records.filter((line) => line.includes('instruction')).join('\n'))
  mkdirSync(folder.path('belle'))
  cpSync(fixtures('belle-eval/eval_set.invented.jsonl'), folder.path('belle/eval_set.jsonl'))
  folder.output(
    ...['train', '--weights', './model', '--data', 'own.jsonl', '--output', 'run', ...own],
    ...['--train.maxSteps', '1'],
  )
}, 120_000)
afterAll(async () => {
  judge.closeAllConnections()
  await new Promise((closed) => judge.close(closed))
  folder.remove()
})

test('the page has commands, for a model, for a server and for none', () => {
  expect(asked.length).toBeGreaterThanOrEqual(6)
  expect(asked.some((line) => line.includes('--endpoint'))).toBe(true)
  expect(asked.some((line) => line.includes('--dry-run'))).toBe(true)
})

test.each(asked.filter((line) => line.startsWith('npx ift eval') && !line.includes('--endpoint')))(
  '%s',
  async (line) => {
    const here = wordsOf(line.replaceAll('http://127.0.0.1:8410/v1', judgeUrl))
    const running = folder.start([...here, ...(line.includes('--dry-run') ? [] : own)])
    const { code, stdout, stderr } = await running.ended
    expect(code, stderr).toBe(0)
    expect(stdout).toMatch(line.includes('--dry-run') ? /requests/ : /\[.*\] of \d|no score/)
  },
  120_000,
)

test('a server is asked', async () => {
  const free = createServer()
  await new Promise<void>((listening) => free.listen(0, '127.0.0.1', listening))
  const { port } = free.address() as AddressInfo
  await new Promise((closed) => free.close(closed))
  const [line] = asked.filter((one) => one.startsWith('npx ift serve'))
  const server = folder.start([...wordsOf(line!), '--port', String(port), '--no-page', ...own])
  let said = ''
  server.child.stderr!.on('data', (data: Buffer) => (said += data.toString()))
  await server.until(() => said.includes('Ready'))
  const lines = asked.filter((one) => one.includes('--endpoint') && !one.includes('--judge'))
  expect(lines.length).toBeGreaterThan(0)
  for (const one of lines) {
    const running = folder.start(wordsOf(one.replace('8410', String(port))))
    expect(await running.ended).toMatchObject({ code: 0 })
  }
  server.child.kill('SIGTERM')
  await server.ended
}, 120_000)

test('the program and the config of the page run', async () => {
  const program = fences(page).find(({ language }) => language === 'js')!
  writeFileSync(folder.path('evaluate.mjs'), program.text)
  const child = spawn(process.execPath, ['evaluate.mjs'], {
    cwd: folder.dir,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let printed = ''
  child.stdout.on('data', (data: Buffer) => (printed += data.toString()))
  expect(await once(child, 'close')).toEqual([0, null])
  expect(Number(printed)).toBeGreaterThan(0)

  const config = fences(page).find(
    ({ language, text }) => language === 'json' && text.includes('"evaluate"'),
  )!
  writeFileSync(folder.path('ift.config.json'), config.text)
  folder.output('train', '--output', 'evaluated', '--device', 'cpu')
  const metrics = folder.lines('evaluated/metrics.jsonl') as {
    kind: string
    values: Record<string, number>
  }[]
  expect(metrics.filter(({ kind }) => kind === 'eval').every(({ values }) => 'exact.f1' in values)).toBe(true)
  expect(existsSync(folder.path('evaluated/adapter'))).toBe(true)
}, 120_000)

test('the page names every task of the package', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'packages/eval/package.json'), 'utf8')) as {
    ift: { provides: { task: Record<string, unknown> } }
  }
  const named = new Set(
    cells(page).flatMap(([first = '']) => [...first.matchAll(/`([\w-]+)`/g)].map(([, name]) => name!)),
  )
  for (const name of Object.keys(manifest.ift.provides.task)) expect(named).toContain(name)
})
