import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { writeFileAtomic } from '../../files/atomic.js'
import { mostVerdictBytes } from '../../files/bounds.js'
import { readRegular } from '../../files/regular-file.js'
import { touchFile } from '../store/index.js'
import type { Examination } from './examination.js'
import type { Examined } from './examine.js'

const magic = 'ift verdicts 2\n'

const placeOf = (dir: string, key: string) => join(dir, `${key}.verdicts`)

const digest = (lengths: readonly number[], report: Examination, bytes: Uint8Array) =>
  createHash('sha256')
    .update(JSON.stringify([lengths, report]))
    .update(bytes)
    .digest('hex')

/** Whether there is one list for each set, a byte for each of its examples. */
const areOf = (lengths: readonly number[], { sets }: Examination, bytes: Uint8Array) =>
  lengths.length === sets.length &&
  lengths.every((length, s) => length === sets[s]!.examples) &&
  lengths.reduce((sum, length) => sum + length, 0) === bytes.length

/** Writes what was found beside the sample cache, whole or not at all. */
export async function saveExamined(dir: string, key: string, { report, verdicts }: Examined): Promise<void> {
  const bytes = Buffer.concat(verdicts)
  const lengths = verdicts.map(({ length }) => length)
  const header = JSON.stringify({ sha256: digest(lengths, report, bytes), lengths, report })
  await writeFileAtomic(placeOf(dir, key), Buffer.concat([Buffer.from(`${magic}${header}\n`), bytes]))
}

/** What `saveExamined` wrote; null when there is none or it is not whole, so that it is made again. */
export async function loadExamined(dir: string, key: string): Promise<Examined | null> {
  try {
    const file = await readRegular(placeOf(dir, key), mostVerdictBytes)
    const line = file.indexOf('\n', magic.length)
    if (line < 0 || !file.subarray(0, magic.length).equals(Buffer.from(magic))) return null
    const { sha256, lengths, report } = JSON.parse(file.toString('utf8', magic.length, line)) as {
      sha256: string
      lengths: number[]
      report: Examination
    }
    const bytes = file.subarray(line + 1)
    if (digest(lengths, report, bytes) !== sha256 || !areOf(lengths, report, bytes)) return null
    await touchFile(placeOf(dir, key))
    let at = 0
    return { report, verdicts: lengths.map((length) => bytes.subarray(at, (at += length))) }
  } catch {
    return null
  }
}
