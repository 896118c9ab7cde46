import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const folder = fileURLToPath(new URL('.', import.meta.url))
const python = (...words: string[]) =>
  spawnSync('python3', ['-B', ...words], { cwd: folder, encoding: 'utf8', timeout: 170_000 })

// The check runs on machines with PyTorch; this one may have no Python.
const found = python('-c', 'import sys; sys.exit(sys.version_info < (3, 10))').status === 0
if (!found) console.log('skipped: the tests of scripts/gpu/check need python3, 3.10 or newer')

describe.skipIf(!found)('scripts/gpu/check', () => {
  test('its plan, cases and report', () => {
    const { status, stderr } = python('-m', 'unittest', 'discover', '-s', 'tests', '-t', '.')
    expect(stderr).toMatch(/Ran [1-9]\d* tests/)
    expect(status, stderr).toBe(0)
  }, 180_000)

  test('--plan shows the steps of both calls within 330 s', () => {
    for (const call of ['1', '2']) {
      const { status, stdout } = python('check', '--plan', '--call', call)
      expect(status).toBe(0)
      expect(stdout).toMatch(/^budget 330 s, planned \d+ s\n/)
      expect(stdout).toContain('train 4x512')
      expect(stdout).not.toContain('cut at this budget')
    }
    expect(python('check', '--plan', '--call', '1', '--budget', '60').stdout).toMatch(
      /cut at this budget\n[^]*kernels/,
    )
  })
})
