import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { definePlugin, IftError, PluginSession, type FetchPlan, type Ift } from '@ift/core'
import { Terminal } from '../ui/terminal.js'
import { fetchData, type FetchRequest } from './fetch-data.js'

const file = { repo: 'org/tea', path: 'tea.jsonl', bytes: 3 << 20, missing: 2 << 20 }
const found = { name: 'tea', facts: null, files: [file], isLocal: false, problem: null }

/** A session that plans to fetch what it is given. */
async function fetching(own: Partial<FetchPlan>, request: Partial<FetchRequest>) {
  const texts = { stdout: '', stderr: '' }
  const sink = (name: 'stdout' | 'stderr') =>
    new PassThrough().on('data', (text: Buffer) => (texts[name] += text.toString())) as never
  const asked: unknown[] = []
  let fetched = 0
  const plan: FetchPlan = {
    ...{ datasets: [found], bytes: 3 << 20, missing: 2 << 20, cacheDir: '/cache', notes: ['A note.'] },
    fetch: ({ onProgress } = {}) => {
      fetched++
      onProgress?.({ repo: 'org/tea', file: 'tea.jsonl', received: 3 << 20, total: 3 << 20 })
      return Promise.resolve([])
    },
    ...own,
  }
  const session = new PluginSession('/').use(definePlugin('none', () => undefined))
  const planFetch = (...words: unknown[]) => {
    asked.push(...words)
    return Promise.resolve(plan)
  }
  const code = fetchData(
    Object.assign(session, { planFetch }) as unknown as Ift,
    new Terminal(sink('stdout'), sink('stderr'), {}),
    {
      ...{ words: ['dolly'], mirror: undefined, yes: false, json: false, ask: null },
      untilInterrupted: (_, run) => run(new AbortController().signal),
      ...request,
    },
  )
  return { code: await code.catch((error: unknown) => error), ...texts, asked, fetched }
}

test('tells sizes first, asks, and fetches only where the answer is yes', async () => {
  const questions: string[] = []
  const answering = (answer: string) => (question: string) => {
    questions.push(question)
    return Promise.resolve(answer)
  }
  const yes = await fetching({}, { ask: answering('Y') })
  expect([yes.code, yes.fetched]).toEqual([0, 1])
  expect(yes.stdout).toContain('tea  3.00 MiB in 1 file, 2.00 MiB to come, org/tea\n')
  expect(yes.stderr).toMatch(
    /A note\.\n100% {2}3\.00 MiB of 3\.00 MiB {2}org\/tea: tea\.jsonl\nFetched 2\.00 MiB into \/cache/,
  )
  for (const answer of ['', 'n', 'yess']) {
    const no = await fetching({}, { ask: answering(answer) })
    expect([no.code, no.fetched, no.stderr]).toEqual([1, 0, 'A note.\nNothing was fetched.\n'])
  }
  expect(new Set(questions)).toEqual(new Set(['Fetch 2.00 MiB into /cache? [y/N] ']))
})

test('without a terminal and --yes it says what to type, and fetches nothing', async () => {
  const { code, fetched } = await fetching(
    {},
    { words: ['lang:cn', '-licence:nc', 'a|b'], mirror: 'https://m.example' },
  )
  expect(fetched).toBe(0)
  expect(code).toMatchObject({
    code: 'IFT_USAGE',
    message: expect.stringContaining('before 2.00 MiB are fetched') as string,
    hint: "npx ift data fetch lang:cn -licence:nc 'a|b' --mirror https://m.example --yes",
  })
  expect((await fetching({}, { yes: true })).fetched).toBe(1)
  const here = await fetching({ missing: 0 }, {})
  expect([here.code, here.fetched]).toEqual([0, 0])
  expect(here.stderr).toContain('There is nothing to fetch.')
})

test('words are names, hub ids or one selection; none are the data of the config', async () => {
  const entries = async (...words: string[]) => (await fetching({ missing: 0 }, { words })).asked[0]
  expect(await entries('dolly', 'alpaca-belle', 'org/name@v1')).toEqual([
    { name: 'dolly' },
    { name: 'alpaca-belle' },
    { path: 'org/name@v1' },
  ])
  expect(await entries('lang:cn', '-licence:nc')).toEqual([{ select: 'lang:cn -licence:nc' }])
  expect(await entries('dolly', 'lang:cn')).toEqual([{ select: 'dolly lang:cn' }])
  expect(await entries()).toBeUndefined()
})

test('what cannot be had is told with where it is, and is the exit code, whatever else is fetched', async () => {
  const problem = new IftError('IFT_SOURCE_NOT_FOUND', 'Not there.', 'It is published at https://x.example.')
  const lost = { ...found, name: 'lost', files: [], problem }
  const { code, fetched, stderr, stdout } = await fetching({ datasets: [found, lost] }, { yes: true })
  expect([code, fetched]).toEqual([1, 1])
  expect(stdout).toContain('lost  cannot be fetched\n')
  expect(stderr).toContain('error Not there.\n\nIt is published at https://x.example.\nIFT_SOURCE_NOT_FOUND')
  const json = await fetching({ datasets: [lost] }, { json: true })
  expect(JSON.parse(json.stdout)).toMatchObject({
    datasets: [{ name: 'lost', problem: { code: problem.code } }],
  })
  expect(json.code).toBe(1)
})
