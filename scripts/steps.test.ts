import { expect, test, vi } from 'vitest'
import { runSteps, type Step } from './steps.mjs'

/** What is written to the terminal, line by line, without the seconds. */
async function run(steps: readonly Step[], processors: number) {
  const lines: string[] = []
  const spy = vi.spyOn(console, 'error').mockImplementation((text: string) => {
    lines.push(...text.split('\n').flatMap((line) => line.replace(/: \d+ s$/, '') || []))
  })
  try {
    return { failure: await runSteps(steps, { cwd: import.meta.dirname, processors }), lines }
  } finally {
    spy.mockRestore()
  }
}

const step = (name: string, code: string, more: Partial<Step> = {}): Step => ({
  ...{ name, command: process.execPath, args: ['-e', code] },
  ...more,
})

test('a step begins when those before it have ended and a processor is free, and is shown in one piece', async () => {
  const { failure, lines } = await run(
    [
      step('network', 'setTimeout(() => console.log("fetched"), 50)', { waits: true }),
      step('build', 'console.log("one"); setTimeout(() => console.error("two"), 500)'),
      step('check', '', { after: ['network'] }),
      step('last', '', { after: ['build', 'check'] }),
    ],
    1,
  )
  expect(failure).toBeNull()
  expect(lines).toEqual(
    ['… network', '… build', '— network', 'fetched', '— build', 'one', 'two', '… check', '— check'].concat([
      '… last',
      '— last',
    ]),
  )
})

test('steps that hold the same run one after the other', async () => {
  const { lines } = await run(
    [
      step('one', 'setTimeout(() => {}, 200)', { lock: 'cargo' }),
      step('two', '', { lock: 'cargo' }),
      step('free', 'setTimeout(() => {}, 2000)'),
    ],
    2,
  )
  expect(lines).toEqual(['… one', '… free', '— one', '… two', '— two', '— free'])
})

test('behind a failure nothing begins, and what is under way ends', async () => {
  const { failure, lines } = await run(
    [
      step('broken', 'console.log("why"); process.exit(3)'),
      step('other', 'setTimeout(() => console.log("done"), 300)'),
      step('next', ''),
    ],
    2,
  )
  expect(failure).toContain('broken failed: ')
  expect(lines).toEqual(['… broken', '… other', '— broken', 'why', '— other', 'done'])
})

test('a step may fail where that is provided for; a program that is not there is a failure', async () => {
  const failed = vi.fn()
  expect((await run([step('fetch', 'process.exit(4)', { failed }), step('next', '')], 1)).failure).toBeNull()
  expect(failed).toHaveBeenCalledWith(4)
  const { failure, lines } = await run([{ name: 'none', command: 'no-such-program', args: [] }], 1)
  expect(failure).toContain('none failed: no-such-program')
  expect(lines.join('\n')).toContain('no-such-program could not be started')
})
