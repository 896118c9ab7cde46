import { afterAll, expect, test } from 'vitest'
import { caseFolder } from './ift.fixture.js'

// Found by scripts/fuzz: a page whose lengths make arrays of gigabytes, and one at which two columns fail, of which the second
// failure ended the process.

const folder = caseFolder('parquet-without-bound')
afterAll(() => {
  folder.remove()
})

test.each(['endless.parquet', 'promise.parquet'])('%s', (name) => {
  const { code, stderr, stdout } = folder.ift(['data', 'stats', name], { timeout: 30_000 })
  expect(code, stderr + stdout).toBe(1)
  expect(stderr).toContain('IFT_FILE_CORRUPT')
  expect(stderr).toContain(name)
})
