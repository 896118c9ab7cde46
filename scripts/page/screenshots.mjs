// Pictures of the page, to be looked at beside its design: every view in both languages and themes, 1400 and 390 pixels wide.
//
//   node scripts/page/screenshots.mjs FOLDER [--only chat,compare] [flags of ift serve]
//
// Needs the packages built and a chromium (CHROMIUM names one). Without flags it serves the model of the quick start.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { chromium } from 'playwright-core'
import { root } from '../workspace.mjs'

const [folder, ...rest] = process.argv.slice(2)
if (folder === undefined || folder.startsWith('-')) {
  console.error('Usage: node scripts/page/screenshots.mjs FOLDER [--only chat,compare] [flags of ift serve]')
  process.exit(2)
}
const at = rest.indexOf('--only')
const only = at < 0 ? null : rest.splice(at, 2)[1].split(',')
const flags =
  rest.length > 0 ? rest : ['--weights', join(root, 'examples/quickstart/model'), '--template', 'alpaca']
mkdirSync(folder, { recursive: true })

/** The address that `ift serve` prints. */
async function serve() {
  const args = ['serve', '--port', '0', '--page', join(root, 'packages/web/ui'), ...flags]
  const child = spawn(process.execPath, [join(root, 'packages/cli/bin/ift.js'), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  const address = await new Promise((resolve, reject) => {
    child.stderr.on('data', (data) => {
      said += data
      const page = /Page: (http:\S+)/.exec(said)
      if (page && said.includes('Ready')) resolve(page[1])
    })
    child.on('exit', () => reject(new Error(said)))
  })
  return { address, stop: () => child.kill('SIGTERM') }
}

const executablePath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path && existsSync(path),
)
const server = await serve()
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
const context = await browser.newContext({
  viewport: { width: 1400, height: 900 },
  deviceScaleFactor: 1,
  locale: 'en',
})
const page = await context.newPage()
page.on('pageerror', ({ message }) => console.error(message))
await page.goto(server.address)

const ended = () =>
  page.locator('main [aria-busy=true]').first().waitFor({ state: 'detached', timeout: 120_000 })
const to = (hash) => page.evaluate(`location.hash = ${JSON.stringify(hash)}`)

/** What each view is looked at with. */
const views = {
  async chat() {
    await to('#/chat')
    await page.locator('.composer-field').waitFor()
    await page.keyboard.press('t')
    for (const question of [
      'What is overfitting? Answer in two sentences.',
      'Why does a learning rate need a warm-up?',
    ]) {
      await page.locator('.composer-field').fill(question)
      await page.keyboard.press('Enter')
      await page.waitForTimeout(200)
      await ended()
    }
  },
  async compare() {
    await to('#/compare')
    for (const question of [
      'What is overfitting? Answer in two sentences.',
      'How many eggs for 12 people?',
    ]) {
      await page.locator('.composer-field').fill(question)
      await page.keyboard.press('Enter')
      await page.waitForTimeout(200)
      await ended()
    }
    await page.waitForTimeout(3000)
  },
  runs: () => to('#/runs'),
  async run() {
    await to('#/runs')
    const first = page.locator('main a[href^="#/runs/"]').first()
    await first.waitFor({ timeout: 3000 }).catch(() => undefined)
    if ((await first.count()) > 0) await to(await first.getAttribute('href'))
  },
  data: () => to('#/data'),
  new: () => to('#/new'),
}

try {
  for (const [name, prepare] of Object.entries(views)) {
    if (only !== null && !only.includes(name)) continue
    await page.setViewportSize({ width: 1400, height: 900 })
    await prepare()
    for (const language of ['en', 'zh'])
      for (const theme of ['light', 'dark']) {
        const hash = await page.evaluate('location.hash')
        await page.evaluate(
          `localStorage.setItem('ift.language', '${language}'); localStorage.setItem('ift.theme', '${theme}')`,
        )
        await page.reload()
        await to(hash)
        for (const width of [1400, 390]) {
          await page.setViewportSize({ width, height: width === 390 ? 844 : 900 })
          await page.waitForTimeout(600)
          await page.screenshot({ path: join(folder, `${name}-${width}-${language}-${theme}.png`) })
        }
      }
  }
} finally {
  await browser.close()
  server.stop()
}
