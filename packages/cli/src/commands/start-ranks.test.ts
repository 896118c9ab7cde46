import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { sameProgram, startLocally, startUnderMpi, visibleGpus } from './start-ranks.js'

test('a rank gets the command line without the flag that started it', () => {
  const { command, args } = sameProgram([
    'node',
    'ift.js',
    'train',
    '--nproc',
    '2',
    '--train.epochs',
    '2',
    '--nproc=4',
  ])
  expect(command).toBe('node')
  expect(args.slice(-4)).toEqual(['ift.js', 'train', '--train.epochs', '2'])
})

test('GPUs are those that the environment names, else those of the system', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ift-dev-'))
  for (const name of ['nvidia0', 'nvidia1', 'nvidiactl', 'nvidia-uvm', 'tty0'])
    writeFileSync(join(dir, name), '')
  expect(visibleGpus({}, dir)).toBe(2)
  expect(visibleGpus({}, join(dir, 'nothing'))).toBe(0)
  expect(visibleGpus({ CUDA_VISIBLE_DEVICES: '0,3,5' }, dir)).toBe(3)
  expect(visibleGpus({ CUDA_VISIBLE_DEVICES: '' }, dir)).toBe(0)
  expect(visibleGpus({ CUDA_VISIBLE_DEVICES: '-1' }, dir)).toBe(0)
  rmSync(dir, { recursive: true })
})

test('several ranks are refused on Windows before a process is started', async () => {
  const platform = vi.spyOn(process, 'platform', 'get').mockReturnValue('win32')
  try {
    const program = { command: 'not-there', args: [] }
    const node = { nodes: 1, nodeRank: 0, master: { host: '127.0.0.1', ports: [1] }, runId: '1' }
    const terminal = {} as Parameters<typeof startLocally>[3]
    const refused = {
      code: 'IFT_RANKS_LAUNCHER',
      message: expect.stringContaining('this is Windows') as string,
    }
    await expect(startUnderMpi(2, program, 'not-there')).rejects.toMatchObject(refused)
    await expect(startLocally(2, node, program, terminal)).rejects.toMatchObject(refused)
  } finally {
    platform.mockRestore()
  }
})
