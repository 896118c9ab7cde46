import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { writeFileAtomic } from '../../files/atomic.js'
import { mostVerdictBytes } from '../../files/bounds.js'
import { readRegular } from '../../files/regular-file.js'
import type { Examination } from './examination.js'
import type { Examined } from './examine.js'

const magic = 'ift verdicts 1\n'

const placeOf = (dir: string, key: string) => join(dir, `${key}.verdicts`)

const digest = (report: Examination, bytes: Uint8Array) =>
  createHash('sha256').update(JSON.stringify(report)).update(bytes).digest('hex')

/** Writes what was found beside the sample cache, whole or not at all. */
export async function saveExamined(dir: string, key: string, { report, verdicts }: Examined): Promise<void> {
  const bytes = Buffer.concat(verdicts)
  const lengths = verdicts.map(({ length }) => length)
  const header = JSON.stringify({ sha256: digest(report, bytes), lengths, report })
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
    if (digest(report, bytes) !== sha256) return null
    let at = 0
    return { report, verdicts: lengths.map((length) => bytes.subarray(at, (at += length))) }
  } catch {
    return null
  }
}
