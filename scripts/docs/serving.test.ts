import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel, root, type Running } from '../../test/cases/ift.fixture.js'
import { fences, type Fence } from './markdown.mjs'

// docs/serving.md: every server of the page is started, and what the page asks of it is asked, by a shell and by node, on a port that is free.

const page = readFileSync(join(root, 'docs/serving.md'), 'utf8').replaceAll(/^ {2}(?=```|\S)/gm, '')
const folder = caseFolder('serving')
let port = 0

/** Lines that start a server, each with the blocks that ask it. */
interface Served {
  readonly line: string
  readonly asked: readonly Fence[]
}
const served: { line: string; asked: Fence[] }[] = []
for (const fence of fences(page)) {
  const line = fence.text.split('\n').find((one) => one.includes('npx ift serve'))
  if (line !== undefined) served.push({ line, asked: [] })
  else if (['sh', 'js'].includes(fence.language)) served.at(-1)!.asked.push(fence)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port: free } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return free
}

/** Runs a program to its end; what it wrote. */
async function output(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { cwd: folder.dir })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => (text += data.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  expect(code, `${args.join(' ')}\n${text}`).toBe(0)
  return text
}

beforeAll(async () => {
  port = await freePort()
  cpSync(quickstartModel, folder.path('model'), { recursive: true })
  writeFileSync(folder.path('d.jsonl'), '{"instruction": "Hi", "output": "Hello"}\n')
  for (const name of ['zh', 'cot']) {
    folder.output(
      ...[
        'train',
        '--weights',
        './model',
        '--data',
        'd.jsonl',
        '--template',
        'alpaca',
        '--output',
        `${name}-run`,
      ],
      ...['--device', 'cpu', '--train.batchSize', '1', '--train.maxSteps', '1'],
    )
    for (const copy of [name, `adapters/${name}`])
      cpSync(folder.path(`${name}-run/adapter`), folder.path(copy), { recursive: true })
  }
  // The clients are those of the package's tests.
  symlinkSync(join(root, 'packages/serve/node_modules'), folder.path('node_modules'))
}, 120_000)
afterAll(() => {
  folder.remove()
})

test('the page has servers, and questions to each that says something', () => {
  expect(served.length).toBeGreaterThanOrEqual(5)
  expect(served.filter(({ asked }) => asked.length > 0).length).toBeGreaterThanOrEqual(4)
})

test.each(served)(
  '$line',
  async ({ line, asked }: Served) => {
    const [variables, words] = line.trim().split(/npx ift /) as [string, string]
    const env = Object.fromEntries(
      variables
        .trim()
        .split(' ')
        .filter(Boolean)
        .map((one) => one.split('=') as [string, string]),
    )
    const running: Running = folder.start(
      [...words.split(' '), '--port', String(port), '--template', 'alpaca', '--device', 'cpu'],
      { env },
    )
    let said = ''
    running.child.stderr!.on('data', (data: Buffer) => (said += data.toString()))
    await running.until(() => said.includes('Ready'))
    // Paths of the table, those that take no body.
    for (const [, path] of page.matchAll(/`GET (\/[\w/.]+)`/g)) {
      const headers = { authorization: `Bearer ${env['IFT_API_KEY'] ?? 'none'}` }
      expect((await fetch(`http://127.0.0.1:${port}${path}`, { headers })).status, path).toBe(200)
    }
    for (const [i, { language, text }] of asked.entries()) {
      const code = text.replaceAll('8410', String(port))
      if (language === 'sh') expect(await output('sh', ['-ec', code]), code).not.toBe('')
      else {
        writeFileSync(folder.path(`asked-${i}.mjs`), code)
        expect(await output(process.execPath, [`asked-${i}.mjs`]), code).not.toBe('')
      }
    }
    running.child.kill('SIGTERM')
    expect(await running.ended).toMatchObject({ code: 0 })
  },
  120_000,
)
