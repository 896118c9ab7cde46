// A run from the page: started, watched, stopped, resumed; and a page whose server goes away and comes back.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Browser, Page } from 'playwright-core'
import type { RunReply } from '@ift/serve/api'
import { browserPath, openBrowser, servePage, type OpenedPage, type ServedPage } from './page.fixture.js'

/** What a browser has besides what Node has. */
interface Browsers {
  readonly EventSource: new (path: string) => {
    addEventListener(
      name: string,
      heard: (message: { readonly data: string; readonly lastEventId: string }) => void,
    ): void
  }
}

describe.skipIf(browserPath === null)('in a browser', () => {
  let browser: Browser
  let served: ServedPage
  let opened: OpenedPage
  let page: Page
  beforeAll(async () => {
    ;[browser, served] = await Promise.all([openBrowser(), servePage({ flags: ['--no-model'] })])
    opened = await served.open(browser)
    page = opened.page
  }, 120_000)
  afterAll(async () => {
    await browser.close()
    await served.close()
  })

  /** Asks as the page does: with its cookie, under its policy. */
  const ask = (path: string, method = 'GET', body?: unknown) =>
    page.evaluate(
      async ([to, how, sent]) => {
        const reply = await fetch(to, {
          method: how,
          ...(sent !== undefined && { body: sent, headers: { 'content-type': 'application/json' } }),
        })
        const text = await reply.text()
        return { status: reply.status, body: text === '' ? null : (JSON.parse(text) as unknown) }
      },
      [path, method, body === undefined ? undefined : JSON.stringify(body)] as const,
    )
  const run = async (id: string) => (await ask(`/api/runs/${id}`)).body as RunReply

  /** Listens to a run in the page; what was heard is in `heard` there. */
  const listen = (id: string) =>
    page.evaluate((path) => {
      const heard: { event: string; id: string; step: number | null; state: string | null }[] = []
      Object.assign(globalThis, { heard })
      const source = new (globalThis as unknown as Browsers).EventSource(path)
      for (const event of ['begin', 'step', 'evaluation', 'sample', 'checkpoint', 'state', 'reset', 'gone'])
        source.addEventListener(event, (message) => {
          const data = JSON.parse(message.data) as { step?: number; state?: string }
          heard.push({ event, id: message.lastEventId, step: data.step ?? null, state: data.state ?? null })
        })
    }, `/api/runs/${id}/events`)
  interface Heard {
    readonly event: string
    readonly id: string
    readonly step: number | null
    readonly state: string | null
  }
  const heard = () => page.evaluate(() => (globalThis as unknown as { heard: Heard[] }).heard)
  const until = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 60_000, interval: 100 })

  test('a run of 20 steps is started, watched, stopped with a checkpoint, and resumed to its end', async () => {
    const config = JSON.parse(readFileSync(served.folder.path('ift.config.json'), 'utf8')) as {
      train: object
    }
    const samples = { prompts: 2, every: 5, maxNewTokens: 4 }
    const started = await ask('/api/runs', 'POST', {
      config: { ...config, train: { ...config.train, samples } },
      name: 'twenty',
    })
    expect(started).toEqual({ status: 201, body: { id: 'twenty' } })
    await listen('twenty')
    await until(async () => {
      expect((await heard()).some(({ event, step }) => event === 'step' && step! >= 3)).toBe(true)
    })
    const live = await run('twenty')
    expect(live).toMatchObject({ totalSteps: 20, canResume: false, process: { canStop: true } })
    expect(live.plan).toMatchObject({ steps: 20, samplesEvery: 5 })
    expect((await ask('/api/runs/twenty', 'DELETE')).status).toBe(409)
    expect((await ask('/api/runs/twenty/stop', 'POST', { now: false })).status).toBe(202)
    await until(async () => {
      expect((await run('twenty')).state).toBe('stopped')
    })
    const stopped = await run('twenty')
    expect(stopped.step).toBeLessThan(20)
    expect(stopped).toMatchObject({ canResume: true, result: { reason: 'interrupted' }, error: null })
    expect(stopped.checkpoints.map(({ step }) => step)).toContain(stopped.step)
    expect(stopped.checkpoints.every(({ bytes }) => bytes! > 1000)).toBe(true)
    expect((await ask('/api/runs/twenty/resume', 'POST', {})).status).toBe(202)
    await until(async () => {
      expect((await run('twenty')).state).toBe('done')
    })
    const done = await run('twenty')
    expect(done).toMatchObject({ step: 20, canResume: false, hasReport: true, result: { reason: 'done' } })
    const { body } = await ask('/api/runs/twenty/metrics')
    const { train } = body as { train: { step: number[]; memory: number[] } }
    expect(train.step).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
    expect(train.memory.every((bytes) => bytes > 0)).toBe(true)
    const answers = ((await ask('/api/runs/twenty/samples')).body as { samples: { step: number }[] }).samples
    expect(answers.map(({ step }) => step)).toEqual([0, 0, 5, 5, 10, 10, 15, 15, 20, 20])
    const events = await heard()
    expect(events[0]!.event).toBe('begin')
    for (const event of ['step', 'sample', 'checkpoint', 'state', 'reset'])
      expect(
        events.some((one) => one.event === event),
        event,
      ).toBe(true)
    expect(opened.faults).toEqual([])
  }, 120_000)

  test('the server dies and comes back: the run goes on, and the page misses no step', async () => {
    const config = JSON.parse(readFileSync(served.folder.path('ift.config.json'), 'utf8')) as {
      train: object
    }
    await ask('/api/runs', 'POST', {
      config: { ...config, train: { ...config.train, maxSteps: 60 } },
      name: 'through',
    })
    await listen('through')
    await until(async () => {
      expect((await heard()).some(({ step }) => step! >= 3)).toBe(true)
    })
    const lines = () => served.folder.read('ift-runs/through/metrics.jsonl').split('\n').length
    await served.restart(async () => {
      const before = lines()
      await vi.waitFor(() => expect(lines()).toBeGreaterThan(before), { timeout: 30_000, interval: 50 })
    })
    // The token is the same, and so is the cookie; EventSource says by itself where it was.
    await until(async () => {
      expect((await run('through')).state).toBe('done')
    })
    await until(async () => {
      const steps = (await heard()).filter(({ event }) => event === 'step').map(({ step }) => step!)
      expect(steps.at(-1)).toBe(60)
      expect(steps).toEqual(Array.from({ length: steps.length }, (_, i) => 60 - steps.length + 1 + i))
    })
    const begins = (await heard()).filter(({ event }) => event === 'begin')
    expect(begins.length).toBeGreaterThan(1)
    expect(opened.faults).toEqual([])
  }, 120_000)

  test('a run that was started in a terminal is watched, and stopped, as any other', async () => {
    const running = served.folder.start(['train', '--output', 'ift-runs/terminal', '--train.maxSteps', '400'])
    await until(async () => {
      expect((await run('terminal')).step).toBeGreaterThan(1)
    })
    expect((await ask('/api/runs/terminal/stop', 'POST', { now: true })).status).toBe(202)
    const { code, signal } = await running.ended
    expect([130, null]).toContain(code)
    if (code === null) expect(['SIGINT', 'SIGKILL']).toContain(signal)
    expect((await ask('/api/runs/terminal', 'DELETE')).status).toBe(200)
    expect((await ask('/api/runs/terminal')).status).toBe(404)
  }, 120_000)
})
