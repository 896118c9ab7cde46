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
  for (const caller of ['first', 'second'])
    expect(
      lines.filter((line) => line.startsWith(`${caller} caller: `) && line.endsWith('(length)')),
    ).toHaveLength(1)
  expect(lines).toContain('third caller: left after 3 pieces')
  expect(lines).toContain('speaker: 0 buffers of the generator are left')
  expect(existsSync(join(dir, 'run', 'adapter', 'adapter_model.safetensors'))).toBe(true)
})
