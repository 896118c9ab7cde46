import { execFile } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { writeAdapter } from '@ift/core'
import { houlsby, parallel, pfeiffer } from '@ift/peft-adapters'
import { fixture, root } from '../fixture/files.js'
import { withAdapterOf } from '../fixture/method.js'

// What ift writes, read by AdapterHub's library. Runs where IFT_ADAPTERHUB_PYTHON names a Python with it (make_adapterhub.py says which
// versions).

const python = process.env['IFT_ADAPTERHUB_PYTHON']
if (python === undefined)
  process.stderr.write('skipped: IFT_ADAPTERHUB_PYTHON names no Python with adapters\n')

const dir = mkdtempSync(join(tmpdir(), 'ift-adapterhub-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})

const names = [
  ...[
    'houlsby',
    'pfeiffer',
    'parallel',
    'scaling-learned',
    'sublayer-alone',
    'twice',
    'norms',
    'norm-with-skip',
  ],
  ...['parallel-both', 'no-stream', 'gpt2/houlsby', 'gptj', 'qwen2', 'gemma3', 'older'],
]

test.skipIf(python === undefined)('written by ift, loaded by adapters', { timeout: 300_000 }, async () => {
  const folders: string[] = []
  for (const name of names) {
    const source = fixture('peft-adapters', name)
    const to = join(dir, name.replace('/', '-'))
    await withAdapterOf([houlsby, pfeiffer, parallel], source, async ({ peft }) => {
      await writeAdapter(to, await peft.save())
    })
    copyFileSync(join(source, 'golden.safetensors'), join(to, 'golden.safetensors'))
    folders.push(to)
  }
  const script = join(root, 'scripts/reference/make_adapterhub.py')
  const { stdout } = await promisify(execFile)(python!, ['-W', 'ignore', script, '--check', ...folders])
  process.stdout.write(stdout)
  expect(stdout.match(/logits differ by/g)).toHaveLength(names.length)
})
