// The views Run, Runs, Data and New run in a browser, over runs that are told by their files.
import { existsSync, writeFileSync } from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import type { Browser } from 'playwright-core'
import { quickstartModel } from '../cases/ift.fixture.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  browserPath,
  openBrowser,
  servePage,
  writeRun,
  type OpenedPage,
  type ServedPage,
} from './page.fixture.js'

const samples = [0, 6, 12, 18].flatMap((step) => [
  {
    step,
    index: 0,
    prompt: 'Name a fruit.',
    answer: step < 12 ? 'An apple is a fruit.' : 'A pear is a fruit.',
  },
])

/** What the main thread of a page did up to now, in milliseconds of its own time: other processes do not count. */
async function workOf({ page }: OpenedPage): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  return async () => {
    const { metrics } = await session.send('Performance.getMetrics')
    const of = (name: string) => metrics.find((metric) => metric.name === name)!.value * 1000
    return of('ScriptDuration') + of('LayoutDuration') + of('RecalcStyleDuration')
  }
}

/** Whether others wait for the processors of this machine: then no clock tells how quick the page is. */
const isBusy = () => loadavg()[0]! > availableParallelism()

/** Looks until it is as expected; the machine may be busy. */
const poll = <T>(read: () => T) => expect.poll(read, { timeout: 30_000 })

describe.skipIf(browserPath === null)('views of runs and data', { timeout: 120_000 }, () => {
  let browser: Browser
  let served: ServedPage
  beforeAll(async () => {
    browser = await openBrowser()
    served = await servePage({
      flags: ['--no-model'],
      prepare: (folder) => {
        const run = (
          name: string,
          ...rest: Parameters<typeof writeRun> extends [unknown, ...infer R] ? R : never
        ) => {
          writeRun(folder.path(`ift-runs/${name}`), ...rest)
        }
        run('first', { samples })
        run('second', { config: { peft: { method: 'lora', r: 16 } } })
        run('other-rows', { config: { validation: { size: 9 } } })
        run('long', { steps: 50_000 })
        run('tea', {
          config: {
            ...{ weights: quickstartModel, template: 'alpaca', device: 'cpu', dtype: 'f32' },
            ...{ data: ['tea.csv'], validation: undefined },
          },
        })
        writeFileSync(
          folder.path('tea.csv'),
          'id,user_query,tea_answer\n1,Which tea is green?,Sencha.\n2,Which tea is black?,Assam.\n',
        )
        run('broken', { steps: 4, totalSteps: 30, reason: 'failed' })
        writeFileSync(folder.path('ift-runs/broken/manifest.json'), '{')
      },
    })
  }, 120_000)
  afterAll(async () => {
    await browser.close()
    await served.close()
  }, 60_000)

  it('shows a run: figures, curves as table, samples with what changed, no serious finding', async () => {
    const opened = await served.open(browser, { hash: '#/runs/first' })
    const { page } = opened
    await page.getByRole('heading', { name: 'first', level: 1 }).waitFor()
    await page.getByText('Step 30 of 30', { exact: true }).waitFor()
    const figures = page.getByLabel('Figures')
    expect(await figures.textContent()).toContain('36,000')
    expect(await figures.textContent()).toContain('1.80 GiB')
    const chart = page.getByRole('img', {
      name: /^Loss, nats per trained token: .*validation 2\.1333, Step 30$/,
    })
    await chart.waitFor()
    await page.getByRole('button', { name: 'Loss, nats per trained token: Show as table' }).click()
    const table = page.getByRole('region', { name: 'Loss, nats per trained token: points' })
    expect(await table.getByRole('row').nth(1).textContent()).toContain('302.0333')
    await page.getByRole('button', { name: 'Loss, nats per trained token: Show as chart' }).click()
    await page.getByText('as before').waitFor()
    await page.getByText('A pear is a fruit.').hover()
    expect(await page.locator('.run-sample-answer mark').allTextContents()).toEqual(['A pear '])
    await page.keyboard.press('l')
    expect(await page.getByRole('radio', { name: 'Log' }).getAttribute('aria-checked')).toBe('true')
    await page.keyboard.press('l')
    expect(await opened.accessibility()).toEqual([])
    expect(opened.faults).toEqual([])
    await opened.close()
  })

  it('zooms all curves by a drag, and back by 0', async () => {
    const opened = await served.open(browser, { hash: '#/runs/first' })
    const { page } = opened
    const over = page.locator('.run-loss .u-over')
    const box = (await over.boundingBox())!
    await page.mouse.move(box.x + box.width * 0.5, box.y + 60)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width * 0.8, box.y + 60, { steps: 5 })
    await page.mouse.up()
    await page.mouse.move(box.x + box.width * 0.5, box.y + 60)
    const step = async () => {
      const text = await page.locator('.chart-card-head b').textContent()
      return Number(/\d+/.exec(text!)![0])
    }
    await expect.poll(step, { timeout: 20_000 }).toBeGreaterThan(17)
    // The crosshair is that of the other charts too.
    expect(await page.locator('.run-curves .u-cursor-x:not(.u-off)').count()).toBe(4)
    await page.keyboard.press('0')
    await page.mouse.move(box.x + box.width * 0.5 + 1, box.y + 60)
    await expect.poll(step, { timeout: 20_000 }).toBe(15)
    await opened.close()
  })

  it('draws 50,000 steps in under 200 ms, from the click to the painted charts', async () => {
    const opened = await served.open(browser, { hash: '#/runs' })
    const { page } = opened
    const work = await workOf(opened)
    const taken: number[] = []
    const worked: number[] = []
    for (let i = 0; i < 3; i++) {
      await page.getByRole('link', { name: 'long', exact: true }).waitFor()
      // The list has read and drawn itself, and the view before it is gone.
      await page.waitForTimeout(500)
      const before = await work()
      // By the clock of the page: its request, the server's answer, reading and drawing. A task behind a frame runs when that frame is painted.
      taken.push(
        await page.evaluate<number>(`new Promise((done) => {
          performance.mark('click')
          ;[...document.querySelectorAll('main a')].find((link) => link.textContent === 'long').click()
          const look = () =>
            requestAnimationFrame(() => {
              if (document.querySelectorAll('.chart canvas').length < 5) look()
              else setTimeout(() => done(performance.measure('painted', 'click').duration))
            })
          look()
        })`),
      )
      worked.push((await work()) - before)
      await page.getByRole('img', { name: /^Loss.*Step 50,000$/ }).waitFor()
      await page.evaluate("location.hash = '#/runs'")
    }
    expect(Math.min(...worked), worked.join(', ')).toBeLessThan(150)
    if (!isBusy()) expect(Math.min(...taken), taken.join(', ')).toBeLessThan(200)
    await opened.close()
  })

  it('overlays runs, says what differs, and warns of other validation rows', async () => {
    const opened = await served.open(browser, { hash: '#/runs' })
    const { page } = opened
    await page.getByText('Not readable', { exact: true }).waitFor()
    const select = (name: string) =>
      page.getByRole('checkbox', { name: `Select ${name}` }).check({ force: true })
    await select('first')
    await select('second')
    await page.getByRole('img', { name: /^Validation loss: first 2\.1333, second 2\.1333/ }).waitFor()
    const differences = page.locator('.runs-difference')
    await differences.getByText('peft.r', { exact: true }).waitFor()
    expect(await differences.locator('.runs-differs').allTextContents()).toContain('16')
    expect(await page.getByText('validated on other rows').count()).toBe(0)
    await select('other-rows')
    await page.getByText('validated on other rows').waitFor()
    await page.getByRole('searchbox', { name: 'Filter of runs' }).fill('name:second')
    await poll(() => page.locator('.runs-row').count()).toBe(1)
    expect(await opened.accessibility()).toEqual([])
    expect(opened.faults).toEqual([])
    await opened.close()
  })

  it('deletes a run after it was asked', async () => {
    const dir = served.folder.path('ift-runs/to-delete')
    writeRun(dir, { steps: 3 })
    const opened = await served.open(browser, { hash: '#/runs' })
    const { page } = opened
    const row = page.getByRole('row', { name: /to-delete/ })
    await row.hover()
    await row.getByRole('button', { name: 'Delete to-delete' }).click()
    await page
      .getByRole('dialog', { name: 'Delete to-delete?' })
      .getByRole('button', { name: 'Keep' })
      .click()
    expect(existsSync(dir)).toBe(true)
    await row.hover()
    await row.getByRole('button', { name: 'Delete to-delete' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click()
    await poll(() => existsSync(dir)).toBe(false)
    await row.waitFor({ state: 'detached' })
    await opened.close()
  })

  it('shows rows as the model sees them, and filters them', async () => {
    const opened = await served.open(browser, { hash: '#/data/config' })
    const { page } = opened
    await page.locator('.data-trained').first().waitFor({ timeout: 60_000 })
    const first = await page.locator('.data-row h2').textContent()
    await page.keyboard.press('j')
    await poll(() => page.locator('.data-row h2').textContent()).not.toBe(first)
    await page.keyboard.press('k')
    await poll(() => page.locator('.data-row h2').textContent()).toBe(first)
    await page.keyboard.press('m')
    expect(
      Number((await page.locator('.data-chip small').first().textContent())!.split(' ')[0]),
    ).toBeGreaterThanOrEqual(0)
    await page.keyboard.press('m')
    expect(await opened.accessibility()).toEqual([])
    // A bar of the histogram is a filter.
    const all = await page.locator('.data-line').count()
    const histogram = page.locator('.bars-histogram svg')
    await histogram.focus()
    await page.keyboard.press('Enter')
    await page.getByText(/\d+ rows · 0 to \d+ tokens/).waitFor()
    await page.getByRole('button', { name: 'Show all' }).click()
    await poll(() => page.locator('.data-line').count()).toBe(all)
    await page.getByRole('searchbox', { name: 'Search the text of rows' }).fill('no such text in any row')
    await page.getByText('No row fits.').waitFor()
    expect(opened.faults).toEqual([])
    await opened.close()
  })

  it('asks what unknown columns are, shows a guess with records, and reads them so', async () => {
    const opened = await served.open(browser, { hash: '#/data/run.tea' })
    const { page } = opened
    const strip = page.getByRole('region', { name: 'Columns of tea.csv' })
    await strip.waitFor({ timeout: 60_000 })
    expect(await strip.getByRole('combobox', { name: 'Column for instruction: user_query' }).count()).toBe(1)
    expect(await strip.getByRole('row').nth(1).textContent()).toBe('Which tea is green?—Sencha.—')
    // Another choice shows at once in the records.
    await strip.getByRole('combobox', { name: /^Column for input/ }).click()
    await page.getByRole('option', { name: 'id', exact: true }).click()
    expect(await strip.getByRole('row').nth(2).textContent()).toBe('Which tea is black?2Assam.—')
    expect(await opened.accessibility()).toEqual([])
    await strip.getByRole('button', { name: 'Read it so' }).click()
    await page.locator('.data-line').first().waitFor({ timeout: 60_000 })
    expect(await page.locator('.data-line').count()).toBe(2)
    await strip
      .getByText('"columns":{"instruction":"user_query","input":"id","output":"tea_answer"}')
      .waitFor()
    await page.getByRole('link', { name: 'Use in a new run' }).click()
    await page.locator('.new-run-command pre').getByText('user_query').first().waitFor({ timeout: 60_000 })
    expect(opened.faults).toEqual([])
    await opened.close()
  })

  it('plans a new run as it is typed, says what is wrong, and keeps the draft', async () => {
    const opened = await served.open(browser, { hash: '#/new/config' })
    const { page } = opened
    const rate = page.locator('[data-field="train.learningRate"] input')
    await rate.waitFor()
    await poll(() => rate.inputValue()).toBe('1e-3')
    const start = page.getByRole('button', { name: 'Start training' })
    await page.getByText('Weights').last().waitFor({ timeout: 60_000 })
    await expect.poll(() => start.getAttribute('aria-disabled'), { timeout: 60_000 }).toBeNull()
    expect(await opened.accessibility()).toEqual([])
    await rate.fill('fast')
    await page.getByText('Found fast, expected a number such as 3e-4, 1k or 50 %.').waitFor()
    expect(await start.getAttribute('aria-disabled')).toBe('true')
    await page.getByText(/1 field to mend before it can start/).waitFor()
    await page.reload()
    await expect.poll(() => rate.inputValue(), { timeout: 20_000 }).toBe('fast')
    await rate.fill('50 %')
    await page.locator('.new-run-command pre').getByText('0.5').waitFor()
    await page.locator('[data-field="train.learningRate"]').getByRole('button', { name: 'reset' }).click()
    expect(await rate.inputValue()).toBe('3e-4')
    expect(opened.faults).toEqual([])
    await opened.close()
  })

  it('keeps what is typed into a new run whose beginning comes late', async () => {
    const opened = await served.open(browser, { hash: '#/runs' })
    const { page } = opened
    await page.route('**/api/runs/tea', async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 1000))
      await route.continue()
    })
    await page.evaluate("location.hash = '#/new/run.tea'")
    const name = page.locator('[data-section="output"] input').last()
    await name.fill('typed-early')
    await page.locator('.new-run-command pre').getByText('tea.csv').first().waitFor({ timeout: 60_000 })
    expect(await name.inputValue()).toBe('typed-early')
    await opened.close()
  })

  it('starts a run, watches it, stops it with a checkpoint and resumes it', async () => {
    const opened = await served.open(browser, { hash: '#/new/config' })
    const { page } = opened
    const start = page.getByRole('button', { name: 'Start training' })
    await page.locator('[data-section="output"] input').last().fill('from-page')
    await expect.poll(() => start.getAttribute('aria-disabled'), { timeout: 60_000 }).toBeNull()
    await page.keyboard.press('Control+Enter')
    await page.getByRole('heading', { name: 'from-page', level: 1 }).waitFor({ timeout: 60_000 })
    // Steps come by events, without a reload.
    const done = async () => Number(await page.getByRole('progressbar').getAttribute('aria-valuenow'))
    await expect.poll(done, { timeout: 120_000 }).toBeGreaterThan(1)
    expect(await page.title()).toMatch(/^\d+\/20 · .* · from-page/)
    await page.getByRole('button', { name: 'Stop with checkpoint' }).click()
    const dialog = page.getByRole('dialog', { name: /^Stop at step \d+\?$/ })
    await dialog.getByRole('button', { name: 'Stop with checkpoint' }).click()
    await page.getByText('Stopped', { exact: true }).waitFor({ timeout: 60_000 })
    const stopped = await done()
    expect(stopped).toBeLessThan(20)
    await page.getByRole('button', { name: `Checkpoint of step ${stopped}` }).waitFor()
    await page.getByRole('button', { name: 'Resume' }).first().click()
    await page.getByText('Done', { exact: true }).first().waitFor({ timeout: 120_000 })
    expect(await done()).toBe(20)
    expect(opened.faults).toEqual([])
    await opened.close()
  }, 300_000)

  it('names the options that an opened config does not have', async () => {
    const opened = await served.open(browser, { hash: '#/new/empty' })
    const { page } = opened
    const chosen = page.waitForEvent('filechooser')
    await page.getByRole('button', { name: 'Open a config' }).click()
    await (
      await chosen
    ).setFiles({
      name: 'mine.json',
      mimeType: 'application/json',
      buffer: Buffer.from(JSON.stringify({ train: { learnRate: 2e-4 } })),
    })
    await page.getByText('1 option of the opened config is not known').waitFor()
    await page.getByRole('button', { name: 'Use train.learningRate' }).click()
    await poll(() => page.locator('[data-field="train.learningRate"] input').inputValue()).toBe('2e-4')
    await opened.close()
  })

  it('says faults of the server in Chinese, its own words behind a fold', async () => {
    const opened = await served.open(browser, { hash: '#/data/nothing', locale: 'zh-CN' })
    const { page } = opened
    const notice = page.getByRole('alert')
    await notice.getByText('找不到').waitFor()
    const detail = notice.getByText('There are no data "nothing".')
    expect(await detail.isVisible()).toBe(false)
    await notice.getByText('服务的原话').click()
    expect(await detail.isVisible()).toBe(true)
    await page.evaluate("location.hash = '#/runs'")
    const row = page.getByRole('row', { name: /broken/ })
    await row.getByText('无法读取文件夹').waitFor()
    await opened.close()
  })

  it('speaks Chinese, and fits phones and wide screens', async () => {
    for (const [width, locale] of [
      [360, 'zh-CN'],
      [2000, 'en'],
    ] as const) {
      const opened = await served.open(browser, {
        ...{ hash: '#/runs/first', locale, viewport: { width, height: 800 } },
      })
      const { page } = opened
      await page
        .getByText(locale === 'en' ? 'Train loss' : '训练损失')
        .first()
        .waitFor()
      for (const hash of ['#/runs', '#/runs/first', '#/data/config', '#/new/config']) {
        await page.evaluate(`location.hash = '${hash}'`)
        await page.waitForTimeout(400)
        expect([hash, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([hash, width])
      }
      expect(opened.faults).toEqual([])
      await opened.close()
    }
  })
})
