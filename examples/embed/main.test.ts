import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { main } from './main.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-embed-'))
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})

test('two sessions work at once in one process, and core prints nothing', async () => {
  const outputs = [
    ...(['log', 'info', 'warn', 'error', 'debug'] as const).map((name) => vi.spyOn(console, name)),
    vi.spyOn(process.stdout, 'write'),
    vi.spyOn(process.stderr, 'write'),
  ]
  const lines: string[] = []
  await main(dir, (line) => lines.push(line))
  for (const output of outputs) expect(output).not.toHaveBeenCalled()
  vi.restoreAllMocks()
  const steps = lines.filter((line) => line.startsWith('learner: step'))
  expect(steps).toHaveLength(4)
  for (const line of steps) expect(line).toMatch(/loss \d+\.\d+$/)
  expect(lines.filter((line) => line.startsWith('speaker: '))).toHaveLength(1)
  expect(existsSync(join(dir, 'run', 'adapter', 'adapter_model.safetensors'))).toBe(true)
})
