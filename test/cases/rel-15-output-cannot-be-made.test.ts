import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tinyCase, tinyRun, type CaseFolder } from './ift.fixture.js'

// The commonest mistake there is: an output folder that cannot be made. It is said before a model is loaded, by what is in the way.

let folder: CaseFolder
beforeAll(() => {
  folder = tinyCase('rel-15')
  writeFileSync(folder.path('in-the-way'), '')
})
afterAll(() => {
  folder.remove()
})

const adapter = () => ['--weights', './m', '--adapter', './run/adapter', '--device', 'cpu']

function refused(args: readonly string[], place: string): void {
  const { code, stderr } = folder.ift(args)
  expect(code, stderr).toBe(1)
  expect(stderr).toContain('IFT_FILE_UNWRITABLE')
  expect(stderr).toContain(place)
  expect(stderr).not.toContain('a fault of ift')
}

test.each(['in-the-way/run', 'in-the-way', 'd.jsonl/deep/run'])('train --output %s', (output) => {
  // Before the weights: a folder without any would be refused otherwise.
  refused([...tinyRun(output, 1, '--weights', './no-such-model')], folder.path(output.split('/')[0]!))
  refused(tinyRun(output, 1), folder.path(output.split('/')[0]!))
})

test('what else is written says the same', () => {
  expect(folder.ift(tinyRun('run', 1)).code).toBe(0)
  refused(['merge', 'in-the-way/merged', ...adapter()], folder.path('in-the-way'))
  writeFileSync(folder.path('texts.jsonl'), '{"text": "a"}\n')
  refused(['score', ...adapter(), '--input', 'texts.jsonl', '-o', 'in-the-way/s.jsonl'], 'in-the-way')
  refused(['score', ...adapter(), '--input', 'texts.jsonl', '-o', 'nowhere/s.jsonl'], 'mkdir -p')
})

/** A place where nobody may write, where this user may mount one. */
function readOnly(): string | null {
  const at = folder.path('read-only')
  mkdirSync(at)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=16k', 'tmpfs', at], { stdio: 'ignore' })
    return at
  } catch {
    return null
  }
}

test('a read-only file system', () => {
  const at = readOnly()
  if (at === null) return
  try {
    refused(tinyRun('read-only/run', 1), 'read-only/run')
    expect(readdirSync(at)).toEqual([])
  } finally {
    execFileSync('umount', [at])
  }
})
