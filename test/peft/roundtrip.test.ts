import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { saveModel, writeAdapter } from '@ift/core'
import { fixture, readObject, root } from '../fixture/files.js'
import { readGolden, worst } from '../fixture/golden.js'
import { logitsOf, variants, withAdapter } from '../fixture/peft.js'
import { withPeftAdapter } from '../fixture/ptuning.js'

// What ift writes, read by the reference implementation. Runs where IFT_PYTHON names a Python that has
// scripts/reference/requirements.txt.

const python = process.env['IFT_PYTHON']
if (python === undefined)
  process.stderr.write('skipped: IFT_PYTHON names no Python with peft and transformers\n')

async function check(name: string, args: readonly string[], goldenFile: string): Promise<number> {
  const { stdout } = await promisify(execFile)(python!, [
    '-W',
    'ignore',
    join(root, 'scripts/reference', name),
    ...args,
    '-',
    '--golden',
    goldenFile,
  ])
  return (JSON.parse(stdout) as { max_difference: number }).max_difference
}

describe.skipIf(python === undefined)('written by ift, loaded by peft and transformers', () => {
  const rows: Record<string, string>[] = []
  const dir = mkdtempSync(join(tmpdir(), 'ift-roundtrip-'))

  afterAll(() => {
    rmSync(dir, { recursive: true, force: true })
    process.stdout.write('largest difference of logits to those of PEFT\n')
    console.table(rows)
  })

  test.each([...variants, 'pissa-trained'])('%s', { timeout: 300_000 }, async (variant) => {
    const source = fixture('peft-lora', variant)
    const goldenFile = join(source, 'golden.safetensors')
    const data = await readGolden(goldenFile)
    const [adapterDir, mergedDir] = [join(dir, variant), join(dir, `${variant}-merged`)]
    let base = ''
    let here = Number.NaN
    await withAdapter(source, async (adapted, adapter) => {
      const { model, peft } = adapted
      base = fixture(String(adapter.config['base_model_name_or_path']))
      here = worst(await logitsOf(adapted, data), data.floats.get('logits')!)
      await writeAdapter(adapterDir, await peft.save())
      await peft.merge!()
      const configJson = readObject(join(base, 'config.json'))
      await saveModel(mergedDir, { model, configJson, dtype: 'f32' })
    })
    const [adapter, merged] = await Promise.all([
      check('check_adapter.py', [base, adapterDir], goldenFile),
      check('check_merged.py', [mergedDir], goldenFile),
    ])
    const show = (value: number) => value.toExponential(1)
    rows.push({
      variant,
      'in ift': show(here),
      'adapter in peft': show(adapter),
      'merged in transformers': show(merged),
    })
    expect(Math.max(here, adapter, merged)).toBeLessThan(1e-4)
  })

  const virtual = readdirSync(fixture('peft-ptuning')).filter((name) => !name.startsWith('text-'))
  test.each(virtual)('%s, virtual tokens', { timeout: 300_000 }, async (variant) => {
    const source = fixture('peft-ptuning', variant)
    const golden = join(source, 'golden.safetensors')
    let base = ''
    await withPeftAdapter(source, async ({ peft }, adapter) => {
      base = fixture(String(adapter.config['base_model_name_or_path']))
      await writeAdapter(join(dir, variant), await peft.save())
    })
    expect(await check('check_adapter.py', [base, join(dir, variant)], golden)).toBeLessThan(1e-4)
  })
})
