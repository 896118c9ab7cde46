// Texts of others in the page: names of runs, prompts, answers, configs, rows of data, errors. None of them becomes markup or leaves the machine.
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Browser } from 'playwright-core'
import {
  browserPath,
  openBrowser,
  servePage,
  writeRun,
  type OpenedPage,
  type ServedPage,
} from './page.fixture.js'

const does = 'globalThis.pwned=1;alert(1)'
const payloads = [
  `<script>${does}</script>`,
  `<img src=x onerror="${does}">`,
  `<svg onload="${does}">`,
  `<svg><script>${does}</script></svg>`,
  `<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>`,
  `<iframe src="javascript:${does}"></iframe>`,
  `<a href="javascript:${does}">click</a>`,
  `[click](javascript:${does})`,
  `[click](data:text/html,<script>${does}</script>)`,
  `![x](https://evil.example/leak.png)`,
  `<img src="https://evil.example/leak.png">`,
  `<link rel=stylesheet href="https://evil.example/x.css">`,
  `<style>@import "https://evil.example/x.css"; * { background: url(https://evil.example/y) }</style>`,
  `<object data="https://evil.example/x"></object>`,
  `<form action="https://evil.example/"><button>send</button></form>`,
  `<math><mtext></table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=${does}&gt;">`,
  `"><script>${does}</script>`,
  `'-${does}-'`,
  `\${${does}}`,
  `{{constructor.constructor('${does}')()}}`,
  `<meta http-equiv="refresh" content="0;url=https://evil.example/">`,
  `<base href="https://evil.example/">`,
  `\u202e<script>${does}</script>\u202c`,
  `<details open ontoggle="${does}">`,
]
const all = payloads.join('\n')
/** As the name of a folder, which holds no slash. */
const name = `<img src=x onerror="${does}">`

describe.skipIf(browserPath === null)('in a browser', () => {
  let browser: Browser
  let served: ServedPage
  let opened: OpenedPage
  beforeAll(async () => {
    const prepare: NonNullable<Parameters<typeof servePage>[0]>['prepare'] = (folder) => {
      const config = {
        ...{ weights: payloads[0], data: payloads.map((path) => ({ path })), template: all },
        ...{ peft: { method: payloads[1], [payloads[2]!]: payloads[3] }, [payloads[16]!]: all },
      }
      const samples = payloads.flatMap((text, index) =>
        [0, 10, 20].map((step) => ({ step, index, prompt: text, answer: `${text} ${step}`, expected: text })),
      )
      writeRun(folder.path('ift-runs', name), { config, samples })
      writeRun(folder.path('ift-runs/plain'), { samples })
      const metrics = { step: 31, kind: 'train', values: { [payloads[1]!]: 1, loss: 1 } }
      appendFileSync(folder.path('ift-runs', name, 'metrics.jsonl'), `${JSON.stringify(metrics)}\n`)
      const failed = folder.path('ift-runs', `failed ${name}`)
      writeRun(failed, { config, reason: 'failed' })
      writeFileSync(
        join(failed, 'result.json'),
        JSON.stringify({
          reason: 'failed',
          error: { code: payloads[0], message: all, hint: all },
          warnings: payloads,
        }),
      )
      writeFileSync(join(failed, 'log.txt'), all)
      mkdirSync(folder.path('ift-runs', `broken ${name}`, 'checkpoints'), { recursive: true })
      writeFileSync(
        folder.path('ift-runs', `broken ${name}`, 'manifest.json'),
        `{"${payloads[0]!.slice(0, 6)}`,
      )
      writeFileSync(
        folder.path('rows.jsonl'),
        payloads.map((text) => JSON.stringify({ instruction: text, input: '', output: text })).join('\n'),
      )
    }
    ;[browser, served] = await Promise.all([openBrowser(), servePage({ flags: ['--no-model'], prepare })])
    opened = await served.open(browser)
  }, 120_000)
  afterAll(async () => {
    await browser.close()
    await served.close()
  })

  const runs = async () =>
    ((await (await served.api('/api/runs')).json()) as { runs: { id: string; name: string }[] }).runs

  /** Goes to a view, waits for a text in it, and looks at what was made of it. */
  const look = async (hash: string, shows: string) => {
    const { page } = opened
    await page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
    await opened.until(`document.body.innerText.includes(${JSON.stringify(shows)})`)
    await page.waitForTimeout(300)
    expect(await page.evaluate('globalThis.pwned')).toBeUndefined()
    const made = await page.evaluate(`[...document.querySelectorAll(
      'script, iframe, object, embed, base, meta[http-equiv], form[action], link, style, img'
    )].map((one) => one.outerHTML).filter((html) => html.includes('pwned') || html.includes('evil.example'))`)
    expect(made).toEqual([])
    const handlers = await page.evaluate(`[...document.querySelectorAll('*')].filter((one) =>
      [...one.attributes].some((attribute) => /^on/i.test(attribute.name) || /^\\s*javascript:/i.test(attribute.value))
    ).map((one) => one.outerHTML.slice(0, 200))`)
    expect(handlers).toEqual([])
    expect(opened.faults).toEqual([])
  }

  test('the list of runs', () => look('#/runs', name), 60_000)

  test('a run, its samples and its config; one that failed, one that cannot be read', async () => {
    for (const { id, name: shown } of await runs()) await look(`#/runs/${id}`, shown)
    const { page } = opened
    const [first] = (await runs()).filter((one) => one.name === name)
    await look(`#/runs/${first!.id}`, payloads[3]!)
    expect(await page.title()).toContain('<img')
  }, 90_000)

  test('rows of data', () => look('#/data/config', payloads[0]!.slice(0, 20)), 60_000)

  test('a new run from a hostile one', async () => {
    await look('#/new', 'ift')
  }, 60_000)

  test('the report of a run does nothing', async () => {
    const { page } = opened
    const reply = await served.api('/api/runs/plain/report')
    expect(reply.status).toBe(404)
    writeFileSync(served.folder.path('ift-runs/plain/report.html'), `<!doctype html>${all}<p>end`)
    const response = await page.goto(`${served.url}/api/runs/plain/report`)
    expect(response!.headers()['content-security-policy']).toContain('sandbox')
    await page.waitForTimeout(500)
    expect(await page.evaluate('globalThis.pwned')).toBeUndefined()
    expect(
      opened.faults.filter((fault) => fault.startsWith('dialog') || fault.startsWith('request')),
    ).toEqual([])
  }, 60_000)
})
