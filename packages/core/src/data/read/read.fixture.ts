import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { IftError } from '@ift/tensor'
import { isExampleRecord } from '../format/index.js'
import { readRecords, type RawRecord, type ReadOptions } from './index.js'

/** A folder of its own for the tests of a file that calls `inFolder`. */
export let dir: string

/** To be called by the file itself: several share a process, which loads this one once. */
export function inFolder(): void {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ift-read-'))
  })
  afterAll(() => rm(dir, { recursive: true, force: true }))
}

/** Writes a file into it, and its folders. */
export async function put(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(dir, name)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
  return path
}

/** Records of a place in it, with their places inside of it. */
export async function read(name: string, options: ReadOptions = {}): Promise<RawRecord[]> {
  const rows: RawRecord[] = []
  for await (const { record, where } of readRecords(join(dir, name), {
    isExample: isExampleRecord,
    ...options,
  }))
    rows.push({ record, where: where.slice(dir.length + 1) })
  return rows
}

/** The error that a promise ends with. */
export async function problem(work: Promise<unknown>): Promise<IftError> {
  try {
    await work
  } catch (error) {
    if (error instanceof IftError) return error
    throw error
  }
  throw new Error('no error')
}
