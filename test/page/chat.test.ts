// Chat and Compare in a browser: answers on their way, branches, probabilities, what hostile answers come to.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { attacks } from '../../packages/web/src/components/markdown.fixture.js'
import { serveChat, ui, type ChatServer } from './chat.fixture.js'
import { browserPath, openBrowser, type OpenedPage } from './page.fixture.js'

test('the page is small: less than 150 kB, compressed', () => {
  expect(existsSync(join(ui, 'index.html')), 'pnpm --filter @ift/web build').toBe(true)
  const files = readdirSync(ui)
  expect(files.map((name) => name.replace(/-\w{8}\./, '.')).sort()).toEqual([
    'app.css',
    'app.js',
    'index.html',
  ])
  const bytes = files.reduce(
    (sum, name) => sum + gzipSync(readFileSync(join(ui, name)), { level: 9 }).length,
    0,
  )
  expect(bytes).toBeLessThan(150_000)
})

describe.skipIf(browserPath === null)('in a browser', { timeout: 60_000 }, () => {
  let browser: Browser
  let served: ChatServer
  let opened: OpenedPage
  let page: Page
  beforeAll(async () => {
    ;[browser, served] = await Promise.all([openBrowser(), serveChat()])
    opened = await served.open(browser, { locale: 'en', colorScheme: 'light' })
    page = opened.page
    page.setDefaultTimeout(15_000)
  }, 120_000)
  afterAll(async () => {
    await opened.close()
    await browser.close()
    await served.close()
  })
  beforeEach(async () => {
    served.slow(0)
    await served.say('')
  })

  const field = () => page.getByRole('textbox', { name: 'Write a message' })
  const answers = () => page.getByRole('article', { name: /^Answer/ })
  const last = () => answers().last()
  const said = (text: string) => last().locator('.markdown').getByText(text, { exact: true }).waitFor()
  const idle = () => page.getByRole('button', { name: 'Send', exact: true }).waitFor()
  const newChat = async () => {
    await page.getByRole('button', { name: 'A new chat' }).click()
    await page.getByText('Ask something').waitFor()
  }
  const ask = async (text: string) => {
    await field().fill(text)
    await field().press('Enter')
  }
  /** Away from fields, so that single keys are commands. */
  const press = async (key: string) => {
    await page.evaluate('document.activeElement.blur()')
    await page.keyboard.press(key)
  }

  test('an answer comes with its Markdown and its facts, and is there after a reload', async () => {
    await served.say('It is **42**, or `x = 1`:\n\n```js\nconst x = 1\n```\n')
    await ask('What is it?')
    await idle()
    expect(await last().locator('strong').textContent()).toBe('42')
    expect(await last().locator('.code-keyword').textContent()).toBe('const')
    expect(await last().locator('.turn-facts').textContent()).toMatch(
      /^\d+ tokens · .* tokens\/s · .* · seed 42 · ended$/,
    )
    await page.reload()
    expect(await last().locator('strong').textContent()).toBe('42')
    expect(await page.getByRole('link', { name: 'What is it?' }).getAttribute('aria-current')).toBe('page')
  })

  test('Enter sends, but not what an input method is still composing', async () => {
    await newChat()
    await field().fill('你')
    await field().dispatchEvent('keydown', {
      key: 'Enter',
      isComposing: true,
      bubbles: true,
      cancelable: true,
    })
    await field().press('Shift+Enter')
    expect(await field().inputValue()).toBe('你\n')
    expect(await answers().count()).toBe(0)
  })

  test('an answer is stopped, stays, and is gone on with', async () => {
    await newChat()
    const text = Array.from({ length: 60 }, (_, i) => `word ${i}`).join(' ')
    await served.say(text)
    served.slow(30)
    await ask('Count')
    await last().getByText('word 1', { exact: false }).waitFor()
    await field().press('Escape')
    await last()
      .getByText(/stopped$/)
      .waitFor()
    const stopped = (await last().locator('.markdown').textContent())!
    expect(text.startsWith(stopped.trim())).toBe(true)
    expect(stopped.length).toBeLessThan(text.length)
    served.slow(0)
    await served.say(' and on')
    await last().getByRole('button', { name: 'Continue' }).click()
    await last()
      .getByText(/ended$/)
      .waitFor()
    expect(await last().locator('.markdown').textContent()).toBe(`${stopped} and on`)
    expect(await answers().count()).toBe(1)
  })

  test('another answer and an edited message are branches, and both sides keep theirs', async () => {
    await newChat()
    await served.say('first')
    await ask('Question')
    await idle()
    await served.say('second')
    await press('r')
    await last().getByText('2 / 2').waitFor()
    await said('second')
    expect(await last().locator('.turn-facts').textContent()).toContain('seed 43')
    await press('[')
    await said('first')
    const asked = page.getByRole('article', { name: 'You' })
    await served.say('third')
    await field().press('ArrowUp')
    await page.getByRole('textbox', { name: 'Edit' }).fill('Other question')
    await page.getByRole('textbox', { name: 'Edit' }).press('Enter')
    await said('third')
    await idle()
    expect(await asked.first().textContent()).toContain('Other question2 / 2')
    await asked.first().getByRole('button', { name: 'Earlier branch' }).click()
    await said('first')
    await last().getByRole('button', { name: 'Later branch' }).click()
    await said('second')
    await asked.first().getByRole('button', { name: 'Later branch' }).click()
    await said('third')
  })

  test('tokens are tinted, show the ten likeliest, and another one is gone on from', async () => {
    await newChat()
    await press('t')
    await page.getByRole('textbox', { name: 'Most tokens' }).fill('12')
    await ask('Why?')
    await idle()
    const chips = last().locator('[data-chip]')
    expect(await chips.count()).toBeGreaterThan(3)
    await chips.nth(2).click()
    const places = page.getByRole('dialog', { name: /^In the place of/ })
    expect(await places.getByRole('option').count()).toBeGreaterThanOrEqual(10)
    const before = await chips.first().textContent()
    const taken = await places.getByRole('option', { selected: true }).locator('.places-name').textContent()
    await page.keyboard.press('ArrowDown')
    const other = (await places
      .getByRole('option', { selected: true })
      .locator('.places-name')
      .textContent())!
    expect(other).not.toBe(taken)
    await page.keyboard.press('Enter')
    await last().getByText('2 / 2').waitFor()
    await idle()
    expect(await chips.first().textContent()).toBe(before)
    await chips.nth(2).click()
    expect(await places.locator('.places-token').textContent()).toBe(other)
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Escape')
    expect(await places.count()).toBe(0)
  })

  test('an answer without probabilities is scored', async () => {
    await newChat()
    await press('t')
    const text = 'A plain answer, with a sheep: 羊.'
    await served.say(text)
    await page.getByRole('textbox', { name: 'Most tokens' }).fill('200')
    await ask('And now?')
    await idle()
    expect(await last().locator('[data-chip]').count()).toBe(0)
    await served.say('')
    await press('t')
    await last().getByRole('button', { name: 'Score this answer' }).click()
    await last().locator('[data-chip]').first().waitFor()
    expect((await last().locator('.tokens').textContent())?.trim()).toBe(text)
    await press('t')
  })

  /** Answers a request of a chat with a stream of texts; it breaks off behind them where it does not end. */
  const stream = (texts: readonly (string | object)[], isWhole = true, finish = 'stop') =>
    page.route('**/v1/chat/completions', (route) => {
      const chunk = (delta: object, ended: string | null = null) =>
        `data: ${JSON.stringify({ choices: [{ index: 0, delta, logprobs: null, finish_reason: ended }] })}\n\n`
      const end = isWhole ? `${chunk({}, finish)}data: [DONE]\n\n` : ''
      const body =
        texts.map((delta) => chunk(typeof delta === 'string' ? { content: delta } : delta)).join('') + end
      return route.fulfill({ contentType: 'text/event-stream', body })
    })

  test('another model answers from a line on', async () => {
    await newChat()
    await served.say('yes')
    await ask('Cold?')
    await idle()
    await page.getByRole('button', { name: 'Model and adapter: base' }).click()
    await page.getByRole('option', { name: 'warm' }).click()
    await page.getByText('From here on: warm').waitFor()
    await ask('Warm?')
    await idle()
    expect(await answers().count()).toBe(2)
    expect(await last().getAttribute('aria-label')).toBe('Answer: warm')
    expect(await page.getByText('From here on: warm').count()).toBe(1)
    await page.getByRole('button', { name: /^Model and adapter: base/ }).click()
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Enter')
    await page.getByText('From here on: base').waitFor()
  })

  test('hostile answers are texts, also on their way', async () => {
    await newChat()
    const hostile = attacks.join('\n\n')
    await stream(Array.from(hostile))
    await ask(attacks[0]!)
    await idle()
    await page.unroute('**/v1/chat/completions')
    const text = (await last().locator('.markdown').textContent())!
    for (const part of ['<script>alert(1)</script>', 'onerror=alert(1)', 'javascript:alert(1)'])
      expect(text).toContain(part)
    const dangerous =
      'script, img, iframe, object, embed, form[action], style, base, meta, [onerror], [onload], [onclick]'
    expect(await page.locator(`main :is(${dangerous})`).count()).toBe(0)
    const links = page.locator('.markdown a')
    expect(await links.count()).toBeGreaterThan(3)
    for (let i = 0; i < (await links.count()); i++) {
      expect(await links.nth(i).getAttribute('href')).toMatch(/^(https?:\/\/|mailto:)/)
      expect(await links.nth(i).getAttribute('rel')).toBe('noopener noreferrer')
    }
    expect(opened.faults).toEqual([])
  })

  test('thoughts are folded, calls are shown, and their results are sent', async () => {
    await newChat()
    const call = (text: object) => ({ tool_calls: [{ index: 0, ...text }] })
    await stream(
      [
        { reasoning_content: 'Weather is a ' },
        { reasoning_content: 'function.' },
        'I look.',
        call({ id: 'call_1', type: 'function', function: { name: 'weather', arguments: '' } }),
        call({ function: { arguments: '{"city":' } }),
        call({ function: { arguments: '"Oslo"}' } }),
      ],
      true,
      'tool_calls',
    )
    await ask('How is the weather?')
    await idle()
    await page.unroute('**/v1/chat/completions')
    const thoughts = last().locator('.turn-thoughts')
    expect(await thoughts.locator('summary').textContent()).toMatch(/^Thought for \d+\.\d s$/)
    expect(await thoughts.locator('.turn-thoughts-text').isVisible()).toBe(false)
    await thoughts.locator('summary').click()
    expect(await thoughts.locator('.turn-thoughts-text').textContent()).toBe('Weather is a function.')
    expect(await last().locator('.turn-call').textContent()).toContain('weather{\n  "city": "Oslo"\n}')
    let sent = ''
    await page.route('**/v1/chat/completions', (route) => {
      sent = route.request().postData() ?? ''
      return route.abort()
    })
    await page.getByRole('textbox', { name: 'Result of the function' }).fill('{"celsius": 3}')
    await page.getByRole('button', { name: 'Send result' }).click()
    await last().getByRole('button', { name: 'Try again' }).waitFor()
    await page.unroute('**/v1/chat/completions')
    expect((JSON.parse(sent) as { messages: unknown[] }).messages.slice(1)).toEqual([
      {
        ...{ role: 'assistant', content: 'I look.' },
        tool_calls: [
          { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } },
        ],
      },
      { role: 'tool', content: '{"celsius": 3}', tool_call_id: 'call_1' },
    ])
  })

  test('conversations are found by what is in them, written to a file, deleted and read back', async () => {
    const listed = page.locator('.rail-item')
    const all = await listed.count()
    await press('/')
    await page.getByRole('textbox', { name: 'Search' }).fill('celsius')
    await expect.poll(() => listed.count()).toBe(1)
    await page.getByRole('textbox', { name: 'Search' }).press('Escape')
    await expect.poll(() => listed.count()).toBe(all)
    const menu = page.getByRole('button', { name: 'Options of the list' })
    await menu.click()
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Export all' }).click(),
    ])
    const path = await file.path()
    await menu.click()
    await page.getByRole('button', { name: 'Delete all' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete all' }).click()
    await expect.poll(() => listed.count()).toBe(0)
    await menu.click()
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      page.getByRole('button', { name: 'Import' }).click(),
    ])
    await chooser.setFiles(path)
    await page.getByText(`${all} conversations imported`).waitFor()
    expect(await listed.count()).toBe(all)
  })

  test('a stream that breaks off leaves what there is, and a way to go on', async () => {
    await newChat()
    await stream(['Half an ', 'answer'], false)
    await ask('Why?')
    await last().getByText('The stream ended before the answer did.').waitFor()
    await page.unroute('**/v1/chat/completions')
    expect(await last().locator('.markdown').textContent()).toBe('Half an answer')
    await served.say(' and the rest')
    await last().getByRole('button', { name: 'Continue from here' }).click()
    await last()
      .getByText(/ended$/)
      .waitFor()
    expect(await last().locator('.markdown').textContent()).toBe('Half an answer and the rest')
  })

  test('a context that is full is said, with the choices to drop the oldest and to begin anew', async () => {
    await newChat()
    await served.say('yes')
    await ask(`Count: ${'one two '.repeat(100)}`)
    await idle()
    await ask(`Count on: ${'three four '.repeat(100)}`)
    await page.getByText(/^The conversation has [\d,]+ tokens, the model takes \d+\.$/).waitFor()
    await page.getByText('The first 2 turns no longer fit.').waitFor()
    await page.getByRole('button', { name: 'Drop the oldest' }).click()
    await page.getByText('Turns above are not sent any more').waitFor()
    await last()
      .getByText(/ended$/)
      .waitFor()
    await ask('Count: ' + 'five six '.repeat(400))
    await page.getByText('The last message alone is too long for an answer.').waitFor()
    await page.getByRole('link', { name: 'New chat' }).click()
    await page.getByText('Ask something').waitFor()
    expect(await answers().count()).toBe(0)
  })

  test('two tabs write to one history, and no message is lost', async () => {
    await newChat()
    await served.say('yes')
    await ask('From the first tab')
    await idle()
    const other = await page.context().newPage()
    await other.goto(page.url())
    const otherField = other.getByRole('textbox', { name: 'Write a message' })
    await other.getByText('From the first tab').last().waitFor()
    await page.getByText('The page is open in another tab.').waitFor()
    await otherField.fill('From the second tab')
    await otherField.press('Enter')
    await expect.poll(() => other.getByRole('article', { name: /^Answer/ }).count()).toBe(2)
    await other.getByRole('button', { name: 'Send', exact: true }).waitFor()
    // It shows here, and what is written here goes on from it.
    await page.getByRole('article', { name: 'You' }).getByText('From the second tab').waitFor()
    await ask('From the first tab again')
    await idle()
    await other.close()
    await page.reload()
    await expect
      .poll(() => page.getByRole('article', { name: 'You' }).locator('.turn-bubble').allTextContents())
      .toEqual(['From the first tab', 'From the second tab', 'From the first tab again'])
  })

  test('high contrast has borders instead of tints, and nothing moves where motion is reduced', async () => {
    await newChat()
    const styleOf = (selector: string, property: string) =>
      page.evaluate<string>(
        `getComputedStyle(document.querySelector(${JSON.stringify(selector)}))[${JSON.stringify(property)}]`,
      )
    const selected = '.rail [aria-current="page"]'
    await page.emulateMedia({ forcedColors: 'active' })
    expect(await styleOf(selected, 'outlineStyle')).toBe('solid')
    expect(await styleOf('.composer', 'borderTopStyle')).toBe('solid')
    await page.emulateMedia({ forcedColors: 'none', reducedMotion: 'no-preference' })
    expect(await styleOf('.switch-track, .button', 'transitionDuration')).not.toBe('0s')
    await page.emulateMedia({ reducedMotion: 'reduce' })
    const moving = await page.evaluate<string[]>(`[...document.querySelectorAll('*')]
      .filter((element) => {
        const { transitionDuration, animationDuration, animationName } = getComputedStyle(element)
        return Math.max(...transitionDuration.split(', ').map(parseFloat)) > 0.001 ||
          (animationName !== 'none' && parseFloat(animationDuration) > 0.001)
      })
      .map((element) => element.className)`)
    expect(moving).toEqual([])
    await page.emulateMedia({ reducedMotion: 'no-preference' })
  })

  test('a server that goes away is said, and comes back', async () => {
    await page.route('**/api/machine', (route) => route.abort())
    await page.evaluate(`dispatchEvent(new Event('online'))`)
    await page.getByText('Not connected.').waitFor()
    await page.unroute('**/api/machine')
    await page.getByRole('button', { name: 'Try now' }).click()
    await page.getByText('Not connected.').waitFor({ state: 'detached' })
  })

  test('two models answer the same, and what differs is marked and scored', async () => {
    await page.evaluate(`location.hash = '#/compare'`)
    const both = page.getByRole('textbox', { name: 'Ask both' })
    await both.waitFor()
    await press('p')
    await page.getByRole('textbox', { name: 'Most tokens' }).fill('24')
    await press('p')
    await both.fill('Why does the sun shine?')
    await both.press('Enter')
    await page.locator('.likely-table:not(.likely-summary)').waitFor()
    const [a, b] = [
      page.getByRole('article', { name: 'Side A' }),
      page.getByRole('article', { name: 'Side B' }),
    ]
    expect(await a.locator('.side-facts').textContent()).toMatch(/^\d+ tokens/)
    expect(
      (await a.locator('.side-text').textContent()) === (await b.locator('.side-text').textContent()),
    ).toBe(false)
    expect(await b.locator('mark.only-b').count()).toBeGreaterThan(0)
    const scores = await page.locator('.likely-table:not(.likely-summary) td').allTextContents()
    expect(scores).toHaveLength(6)
    for (const score of scores) expect(score).toMatch(/^[+−]?\d+\.\d{3}$/)
    await page.getByRole('radio', { name: 'Token probability' }).click()
    await a.locator('[data-chip]').first().click()
    expect(
      await page
        .getByRole('dialog', { name: /^In the place of/ })
        .getByRole('option')
        .count(),
    ).toBeGreaterThanOrEqual(10)
    await page.keyboard.press('Escape')
    await page.getByRole('radio', { name: 'Words' }).click()
    await page.setViewportSize({ width: 390, height: 844 })
    await expect.poll(() => a.count()).toBe(0)
    await page.getByRole('radio', { name: 'A', exact: true }).click()
    expect(await a.locator('mark.only-a').count()).toBeGreaterThan(0)
    await page.setViewportSize({ width: 1400, height: 900 })
  })

  test('a checkpoint of a run is named with step and loss, loaded where it is chosen, or says why not', async () => {
    await page.evaluate(`location.hash = '#/compare'`)
    const picker = page.getByRole('button', { name: /^Model and adapter: / })
    const choose = async () => {
      await picker.nth(1).click()
      await page.getByRole('option', { name: /tea.*load · step 6 · loss 2\.2667 · best/ }).click()
    }
    await page.route('**/api/adapters', (route) =>
      route.request().method() === 'GET'
        ? route.continue()
        : route.fulfill({
            status: 400,
            json: { error: { message: 'It was trained on another base.', code: 'adapter_unusable' } },
          }),
    )
    await picker.nth(1).waitFor()
    await choose()
    await page.getByRole('alert').getByText('It was trained on another base.').waitFor()
    await page.keyboard.press('Escape')
    await page.unroute('**/api/adapters')
    await choose()
    await page.getByRole('button', { name: /^Model and adapter: tea-6/ }).waitFor()
    await picker.nth(1).click()
    await page.getByRole('option', { name: /tea-6.*adapter · step 6 · loss 2\.2667 · best/ }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('textbox', { name: 'Ask both' }).fill('Which tea?')
    await page.getByRole('textbox', { name: 'Ask both' }).press('Enter')
    await page.locator('.likely-table:not(.likely-summary)').waitFor()
    expect(await page.getByRole('article', { name: 'Side B' }).locator('.side-failed').count()).toBe(0)
  })

  test('nothing serious is found about access, in both themes and on a phone', async () => {
    const found: string[] = []
    for (const hash of ['#/compare', '#/chat'])
      for (const colorScheme of ['light', 'dark'] as const)
        for (const width of [1400, 390]) {
          await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
          await page.setViewportSize({ width, height: 844 })
          await page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
          await page.locator('.composer').waitFor()
          const listed = page.locator('.rail-item').first()
          if (width === 1400) await listed.click()
          found.push(
            ...(await opened.accessibility()).map((line) => `${hash} ${colorScheme} ${width}: ${line}`),
          )
        }
    await page.setViewportSize({ width: 1400, height: 844 })
    expect(found).toEqual([])
  })

  test('languages and keys', async () => {
    await press('1')
    await page.getByRole('button', { name: /^Language/ }).click()
    expect(await page.locator('html').getAttribute('lang')).toBe('zh-CN')
    await page.getByRole('link', { name: '对比', exact: false }).first().waitFor()
    await page.getByRole('button', { name: /^语言/ }).click()
    await press('?')
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.press('Control+k')
    await page.keyboard.type('compare')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Compare', level: 1 }).waitFor()
    await press('1')
    await field().waitFor()
  })

  test('without the token the page says where it is', async () => {
    const context = await browser.newContext({ locale: 'en' })
    const alone = await context.newPage()
    await alone.goto(served.url)
    await alone.getByRole('heading', { name: 'Open the address that the terminal printed' }).waitFor()
    await context.close()
    expect(opened.faults).toEqual([])
  })
})
