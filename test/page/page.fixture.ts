// The page in a browser: `ift serve` as a process over a tiny model and a folder of runs, and Debian's chromium.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { caseFolder, quickstartModel, type CaseFolder, type Running } from '../cases/ift.fixture.js'
import { quickstart } from '../fixture/files.js'

const require = createRequire(import.meta.url)

/** The browser of this machine; null where there is none. `CHROMIUM` names another one. */
export const browserPath: string | null =
  [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
    (path) => path !== undefined && existsSync(path),
  ) ?? null

/** One browser for a file of tests. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: browserPath!,
    // A container's only user is root; /dev/shm is small there.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
  })

/** A run as its files tell of it, without a process that ever trained. */
export interface WrittenRun {
  readonly steps?: number
  readonly totalSteps?: number
  readonly reason?: 'done' | 'interrupted' | 'failed' | null
  readonly config?: Readonly<Record<string, unknown>>
  readonly samples?: readonly { readonly step: number; readonly prompt: string; readonly answer: string }[]
}

const lines = (values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('')
const GiB = 2 ** 30

/** Writes the files of a run into a folder. */
export function writeRun(
  dir: string,
  { steps = 30, totalSteps = steps, reason = 'done', config = {}, samples = [] }: WrittenRun = {},
): void {
  mkdirSync(dir, { recursive: true })
  const write = (name: string, text: string) => {
    writeFileSync(join(dir, name), text)
  }
  const json = (name: string, value: unknown) => {
    write(name, JSON.stringify(value, null, 2))
  }
  const started = '2026-11-30T10:00:00.000Z'
  json('manifest.json', {
    ...{ ift: '0.1.0', node: 'v20', started, device: 'cpu', family: 'llama', dataHash: 'd', mixture: [] },
    config: {
      ...{ weights: './model', data: ['rows.jsonl'], peft: { method: 'lora', r: 8 }, maxLength: 512 },
      train: { learningRate: 3e-4, maxSteps: totalSteps },
      validation: { size: 4 },
      ...config,
    },
    ...{ identity: { tokenizer: 't', template: 'a' }, plugins: [], packages: {} },
  })
  const memory = { weights: GiB, training: GiB / 8, activations: GiB, workspace: GiB / 4, total: 2.375 * GiB }
  json('plan.json', {
    ...{ steps: totalSteps, epochs: 0.5, sequences: 100, heldOut: 4, parameters: 4.7e6, trainable: 60_000 },
    ...{ evalEvery: 3, saveEvery: 3, logEvery: 1, samplesEvery: samples.length ? 6 : null },
    ...{
      microBatchTokens: 4096,
      memory: { ...memory, reserved: memory.total, recomputeLayers: 0, fits: true },
    },
    ...{
      budget: 8 * GiB,
      device: 'cpu',
      dtype: 'f32',
      learningRates: { steps: [1, totalSteps], rates: [3e-4, 0] },
    },
  })
  const metrics: unknown[] = []
  for (let step = 1; step <= steps; step++) {
    const values = {
      ...{ loss: 2 + 1 / step, gradientNorm: 0.2, learningRate: 3e-4 * (1 - step / totalSteps) },
      ...{ tokens: 2000, trainedTokens: 1200, tokensPerSecond: 1000, seconds: 2, elapsed: 2 * step },
      ...{ memory: GiB, peakMemory: 1.8 * GiB },
    }
    metrics.push({ step, kind: 'train', values })
    if (step % 3 === 0) metrics.push({ step, kind: 'eval', values: { loss: 2.1 + 1 / step, seconds: 0.5 } })
  }
  write('metrics.jsonl', lines(metrics))
  if (samples.length > 0)
    write(
      'samples.jsonl',
      lines(samples.map((sample, index) => ({ index, ended: 'end', tokens: 4, ...sample }))),
    )
  if (reason === null) return
  json('result.json', {
    ...{ reason, steps, finalLoss: 2, tokens: 2000 * steps, trainedTokens: 1200 * steps, seconds: 2 * steps },
    ...{ warnings: [], ended: '2026-11-30T10:01:00.000Z' },
    ...(reason === 'failed' && { error: { code: 'IFT_TEST', message: 'It failed.', hint: null } }),
  })
}

export interface ServeSetup {
  /** Flags of `ift serve`; `--no-model` for one that opens none. */
  readonly flags?: readonly string[]
  /** Told the folder before the server starts: configs, runs, data. */
  readonly prepare?: (folder: CaseFolder) => void
}

/** `ift serve` in a folder of its own. Its config names the tiny model and `rows.jsonl`, on the CPU. */
export interface ServedPage {
  readonly folder: CaseFolder
  readonly url: string
  readonly token: string
  /** The address that the terminal printed. */
  readonly address: string
  /** A reply of a path, with the token. */
  api(path: string, init?: RequestInit): Promise<Response>
  /** Ends the server, and starts one at the same port; `ended` runs in between. */
  restart(ended?: () => Promise<unknown>): Promise<void>
  /** A page of a browser at a path behind the `#`, with the token taken. */
  open(browser: Browser, options?: OpenOptions): Promise<OpenedPage>
  close(): Promise<void>
}

export interface OpenOptions extends BrowserContextOptions {
  /** `#/runs`; the address of the terminal when absent. */
  readonly hash?: string
}

export interface OpenedPage {
  readonly page: Page
  /** What must not happen: dialogs, errors, violations of the policy, requests to anywhere else. */
  readonly faults: readonly string[]
  /** Waits until an expression is true. Playwright's own way of it is an eval in the page, which its policy refuses. */
  until(expression: string, patience?: number): Promise<void>
  /** Serious findings of axe-core, a line each. */
  accessibility(): Promise<readonly string[]>
  close(): Promise<void>
}

/** Starts the server. */
export async function servePage({ flags = [], prepare }: ServeSetup = {}): Promise<ServedPage> {
  const folder = caseFolder('page')
  writeFileSync(
    folder.path('ift.config.json'),
    JSON.stringify({
      ...{ weights: quickstartModel, template: 'alpaca', device: 'cpu', dtype: 'f32', threads: 1 },
      ...{ data: ['rows.jsonl'], maxLength: 160, validation: { size: 4 } },
      train: { batchSize: 4, microBatchTokens: 320, learningRate: 1e-3, maxSteps: 20 },
    }),
  )
  writeFileSync(folder.path('rows.jsonl'), firstLines(quickstart('data/bilingual.jsonl'), 60))
  prepare?.(folder)
  let running: Running
  let [address, url, token] = ['', '', '']
  const start = async (port: string) => {
    const page = process.env['IFT_PAGE']
    running = folder.start(
      ['serve', '--port', port, ...(page === undefined ? [] : ['--page', page]), ...flags],
      { env: { ...process.env, XDG_CACHE_HOME: folder.path('.cache'), IFT_API_KEY: undefined } },
    )
    let said = ''
    running.child.stderr!.on('data', (data: Buffer) => (said += data.toString()))
    await running.until(() => said.includes('Ready'))
    address = /Page: (http:\S+)/.exec(said)![1]!
    ;[, url, token] = /^(http:\/\/[^/]+)\/#t=([\w-]+)$/.exec(address)! as unknown as [string, string, string]
  }
  const stop = async () => {
    running.child.kill('SIGTERM')
    await running.ended
  }
  await start('0')
  return {
    folder,
    ...{ url, token, address },
    api: (path, init = {}) =>
      fetch(`${url}${path}`, {
        ...init,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          ...(init.headers as Record<string, string> | undefined),
        },
      }),
    async restart(ended) {
      await stop()
      await ended?.()
      await start(new URL(url).port)
    },
    open: (browser, options) => openPage(browser, { address, url, ...options }),
    async close() {
      await stop()
      folder.remove()
    },
  }
}

const firstLines = (path: string, count: number) =>
  `${readFileSync(path, 'utf8').split('\n').slice(0, count).join('\n')}\n`

/** Opens the page, and watches what it does. */
export async function openPage(
  browser: Browser,
  { address, url, hash, ...context }: OpenOptions & { readonly address: string; readonly url: string },
): Promise<OpenedPage> {
  const own = await browser.newContext({ viewport: { width: 1400, height: 900 }, ...context })
  const page = await own.newPage()
  const faults: string[] = []
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`))
  page.on('console', (message) => {
    if (/Content Security Policy|Trusted Type/i.test(message.text())) faults.push(`policy: ${message.text()}`)
  })
  const leaves = (to: string) => !to.startsWith(`${url}/`) && !/^(data|blob|about):/.test(to)
  page.on('response', (response) => {
    if (leaves(response.url())) faults.push(`request: ${response.url()}`)
  })
  page.on('requestfailed', (request) => {
    // What the policy refused has left nothing; the browser says so on the console.
    const why = request.failure()?.errorText ?? ''
    if (leaves(request.url()) && !/csp/i.test(why)) faults.push(`request: ${request.url()} ${why}`)
  })
  await page.goto(address)
  const until: OpenedPage['until'] = async (expression, patience = 20_000) => {
    const end = Date.now() + patience
    while ((await page.evaluate(expression)) !== true) {
      if (Date.now() > end)
        throw new Error(`${expression} never came true in\n${await page.innerText('body').catch(() => '')}`)
      await page.waitForTimeout(50)
    }
  }
  await until("!location.hash.startsWith('#t=')")
  if (hash !== undefined) await page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
  return {
    page,
    faults,
    until,
    async accessibility() {
      const axe = readFileSync(join(dirname(require.resolve('axe-core/package.json')), 'axe.min.js'), 'utf8')
      // As a script of the page it would be refused; the debugger's are not the page's.
      const cdp = await own.newCDPSession(page)
      await cdp.send('Runtime.evaluate', { expression: axe })
      const { result } = await cdp.send('Runtime.evaluate', {
        expression: `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
          .filter(({ impact }) => impact === 'serious' || impact === 'critical')
          .flatMap(({ id, help, nodes }) => nodes.map(({ target }) => id + ': ' + help + ': ' + target.join(' '))))`,
        awaitPromise: true,
        returnByValue: true,
      })
      return result.value as readonly string[]
    },
    close: () => own.close(),
  }
}
