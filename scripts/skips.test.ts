import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { mayStepBeSkipped, mayTestBeSkipped, skips } from './skips.mjs'

const at = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url))

test('every entry names a step or tests that there are', () => {
  const steps = readFileSync(at('scripts/run.mjs'), 'utf8')
  for (const { step, file, tests, needs } of skips) {
    expect(needs).not.toBe('')
    if (step !== undefined) expect(steps).toContain(`'${step}'`)
    else {
      expect(existsSync(at(file!)), file).toBe(true)
      // Names may hold what the file computes behind this.
      for (const part of (tests ?? '').split(' > ')) expect(readFileSync(at(file!), 'utf8')).toContain(part)
    }
  }
})

test('a test is found by its file and the beginning of its name', () => {
  expect(mayTestBeSkipped('test/peft/roundtrip.test.ts', 'written by ift > lora')).toBe(true)
  expect(mayTestBeSkipped('test/families/traps.test.ts', 'written by ift > lora')).toBe(false)
  const format = 'packages/core/src/data/format/format.test.ts'
  expect(mayTestBeSkipped(format, 'real files > alpaca/alpaca.json')).toBe(true)
  expect(mayTestBeSkipped(format, 'a row without an answer')).toBe(false)
  expect(mayStepBeSkipped('nvcc')).toBe(true)
  expect(mayStepBeSkipped('cargo clippy')).toBe(false)
})

/** What the reporter does with a skipped test of a file. */
function reported(file: string, ci: string): { status: number | null; stdout: string } {
  const program = `
    import Summary from ${JSON.stringify(new URL('vitest-summary.mjs', import.meta.url).href)}
    const test = { fullName: 'a name', result: () => ({ state: 'skipped' }) }
    const module = { moduleId: ${JSON.stringify(at(file))}, children: { allTests: () => [test] }, errors: () => [] }
    new Summary().onTestRunEnd([module], [])`
  return spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    env: { ...process.env, CI: ci },
  })
}

test('on CI a skip outside of the list fails the run and is named', () => {
  const { status, stdout } = reported('test/families/traps.test.ts', 'true')
  expect(status).toBe(1)
  expect(stdout).toContain('test/families/traps.test.ts > a name')
  expect(reported('test/families/traps.test.ts', '').status).toBe(0)
  expect(reported('test/peft/roundtrip.test.ts', 'true')).toMatchObject({
    status: 0,
    stdout: '0 passed, 0 failed, 1 skipped\n',
  })
})
