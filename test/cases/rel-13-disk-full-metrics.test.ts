import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isDiskFull, writeFailed } from '@ift/core'
import { tinyCase, tinyRun, type CaseFolder } from './ift.fixture.js'

// A run is worth more than its log: what cannot be written of it is said, and the run goes on. What must be written is not.

let folder: CaseFolder
beforeAll(() => {
  folder = tinyCase('rel-13')
})
afterAll(() => {
  folder.remove()
})

/** A plugin that does something behind the second step. */
const behindStep2 = (name: string, body: string) =>
  folder.plugin(
    name,
    `ift.hooks.trainer.tap('${name}', ({ hooks }) => hooks.step.tapPromise('${name}', async ({ step }) => { if (step === 2) { ${body} } }))`,
  )
const run = (output: string, ...flags: string[]) => tinyRun(output, 6, '--train.saveEvery', '0', ...flags)

test.skipIf(!existsSync('/dev/full'))(
  'a full disk under metrics.jsonl is said once, and the run goes on',
  () => {
    const plugin = behindStep2(
      'full',
      `fs.rmSync('run/metrics.jsonl'); fs.symlinkSync('/dev/full', 'run/metrics.jsonl')`,
    )
    const { code, stderr } = folder.ift(run('run', '--plugins', plugin))
    expect(code, stderr).toBe(0)
    expect(existsSync(folder.path('run/adapter/adapter_model.safetensors'))).toBe(true)
    const [progress = '', end = ''] = stderr.split('Done')
    expect(progress.match(/metrics\.jsonl is not complete: .*ENOSPC/g)?.length).toBe(1)
    expect(end).toContain('metrics.jsonl is not complete')
    expect(stderr).not.toContain('a fault of ift')
  },
)

test('a folder that was moved away, a board and a report that cannot be written end no run', () => {
  const plugin = behindStep2('moved', `fs.renameSync('moved', 'elsewhere')`)
  const moved = folder.ift(run('moved', '--plugins', plugin))
  expect(moved.code, moved.stderr).toBe(0)
  expect(moved.stderr).toContain('metrics.jsonl is not complete')
  expect(existsSync(folder.path('moved/adapter/adapter_model.safetensors'))).toBe(true)

  mkdirSync(folder.path('odd/report.html'), { recursive: true })
  writeFileSync(folder.path('odd/report.html/mine'), '')
  writeFileSync(folder.path('odd/tensorboard'), '')
  const odd = folder.ift(run('odd'))
  expect(odd.code, odd.stderr).toBe(0)
  expect(odd.stderr).toMatch(/tensorboard is not complete/)
  expect(odd.stderr).toMatch(/report\.html could not be written/)
  expect(existsSync(folder.path('odd/adapter/adapter_model.safetensors'))).toBe(true)
})

test('a lost line takes no other with it', () => {
  const plugin = behindStep2('torn', `fs.appendFileSync('torn/metrics.jsonl', '{"step":2,"ki')`)
  const { code, stderr } = folder.ift(run('torn', '--plugins', plugin))
  expect(code, stderr).toBe(0)
})

test('a quota that is used up is a full disk, though Node has no name for it', () => {
  const error = Object.assign(new Error('Unknown system error -122'), {
    code: 'Unknown system error -122',
    errno: -constants.errno.EDQUOT,
  })
  expect(isDiskFull(error)).toBe(true)
  expect(writeFailed('x', error)).toMatchObject({ code: 'IFT_DISK_FULL' })
})

/** A small disk, where this user may mount one. */
function mount(): string | null {
  const at = folder.path('small')
  mkdirSync(at)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', at], { stdio: 'ignore' })
    return at
  } catch {
    return null
  }
}

test('a disk that is full at a checkpoint is IFT_DISK_FULL', () => {
  const at = mount()
  if (at === null) return
  try {
    const { code, stderr } = folder.ift(run('small/run'))
    expect(code, stderr).toBe(1)
    expect(stderr).toContain('IFT_DISK_FULL')
    expect(stderr).not.toContain('a fault of ift')
  } finally {
    execFileSync('umount', [at])
  }
})
