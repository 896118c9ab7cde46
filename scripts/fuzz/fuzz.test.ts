import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

test('a hundred changed files are read or refused, in time and memory', () => {
  const script = fileURLToPath(new URL('run.mjs', import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, '--files', '100', '--seed', '20'], {
    encoding: 'utf8',
    timeout: 55_000,
  })
  expect(status, stderr).toBe(0)
  const result = JSON.parse(stdout) as Record<string, number>
  expect(result['accepted']! + result['refused']!).toBe(result['files'])
  // Changes that all were refused at once, or none, would show nothing.
  expect(result['accepted']).toBeGreaterThan(10)
  expect(result['refused']).toBeGreaterThan(30)
}, 60_000)
