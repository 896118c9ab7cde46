import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bin, tinyCase, tinyRun, type CaseFolder } from './ift.fixture.js'

// Progress that cannot be shown is not shown.

let folder: CaseFolder
beforeAll(() => {
  folder = tinyCase('rel-44')
})
afterAll(() => {
  folder.remove()
})

/** Exit code of `ift` in a line of shell, where IFT stands for the command. */
function shell(line: string, args: readonly string[]): string {
  writeFileSync(
    folder.path('ift.sh'),
    `"${process.execPath}" "${bin}" ${args.join(' ')} "$@"; echo $? > code\n`,
  )
  const { stderr } = spawnSync('sh', ['-c', line.replaceAll('IFT', 'sh ./ift.sh')], {
    cwd: folder.dir,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  })
  return `${folder.read('code').trim()}${stderr && ` ${stderr}`}`
}

const posix = process.platform !== 'win32'

test.skipIf(!posix)('a reader of the log that goes away ends no run', () => {
  expect(shell('IFT 2>&1 | head -1 > /dev/null', tinyRun('piped', 60))).toBe('0')
  expect(existsSync(folder.path('piped/adapter/adapter_model.safetensors'))).toBe(true)
})

test.skipIf(!existsSync('/dev/full'))('a full disk under the log ends no run', () => {
  expect(shell('IFT 2> /dev/full', tinyRun('full', 60))).toBe('0')
  expect(existsSync(folder.path('full/adapter/adapter_model.safetensors'))).toBe(true)
  expect(shell('IFT > /dev/full 2>&1', tinyRun('both', 10))).toBe('0')
  expect(shell('IFT 2>&- >&-', tinyRun('closed', 10))).toMatch(/^0/)
})

test.skipIf(!existsSync('/dev/full'))('a result that could not be written is a failure', () => {
  const said = shell('IFT > /dev/full', ['init', '--list'])
  expect(said).toMatch(/^1 /)
  expect(said).toContain('IFT_DISK_FULL')
  expect(said).not.toContain('a fault of ift')
})
