import { existsSync, writeSync } from 'node:fs'
import { isAbsolute, relative } from 'node:path'
import {
  Ift,
  IftError,
  asSource,
  countOf,
  localPath,
  refuseInputs,
  writeFileAtomic,
  type DataSource,
  type Examination,
  type SessionRequest,
  type VerbTerminal,
} from '@ift/core'
import { auditText } from '../ui/audit-view.js'

/** What an audit can fail on. */
export const auditFaults = ['contamination', 'exact', 'near', 'any'] as const

export interface AuditRequest {
  readonly cwd: string
  readonly json: boolean
  /** File for the records that are found. */
  readonly output: string | undefined
  readonly failOn: (typeof auditFaults)[number] | undefined
  /** Files, folders and datasets; those of the config when empty. */
  readonly data: readonly string[]
  /** Form of the records in the files and folders. */
  readonly format: DataSource['format']
}

/** Bytes of findings that are written at once. */
const pieceLength = 1 << 16

/** Tells of duplicates, near duplicates and contamination. Exit code 1 when there is what `failOn` names. */
export const auditData = (
  session: SessionRequest,
  terminal: VerbTerminal,
  { cwd, json, output, failOn, data, format }: AuditRequest,
): Promise<number> =>
  Ift.using(session, async (ift) => {
    const entries = data.map((word) => {
      const path = localPath(cwd, word)
      const inside = relative(ift.rootDir, path)
      const source = existsSync(path)
        ? {
            path: inside.startsWith('..') || isAbsolute(inside) ? path : inside || '.',
            encoding: 'utf-8',
          }
        : asSource(word)
      if (format === undefined) return source
      if (source.path !== undefined) return { ...source, format }
      throw new IftError(
        'IFT_USAGE',
        `--format: expected files, found the dataset ${word}, which reads its own.`,
        `npx ift data audit ${word}`,
      )
    })
    if (entries.length === 0 && [ift.config.data].flat().length === 0)
      throw new IftError('IFT_USAGE', 'The config names no data.', 'npx ift data audit FILE')
    const chosen = entries.length > 0 ? { data: entries } : {}
    let report: Examination
    if (output === undefined) report = await ift.auditData(chosen)
    else {
      const path = localPath(cwd, output)
      await writeFileAtomic(path, async (file) => {
        let text = ''
        const flush = () => {
          for (let bytes = Buffer.from(text); bytes.length > 0;)
            bytes = bytes.subarray(writeSync(file.fd, bytes))
          text = ''
        }
        report = await ift.auditData({
          ...chosen,
          onFile: (file) => refuseInputs(path, [{ what: 'data', path: file }]),
          onFinding: (finding) => {
            text += `${JSON.stringify(finding)}\n`
            if (text.length > pieceLength) flush()
          },
        })
        flush()
      })
    }
    if (json) terminal.json(report!)
    else auditText(report!, terminal)
    const { exact, near, contamination } = report!
    const counts = {
      exact: countOf(exact),
      near: countOf(near),
      contamination: countOf(contamination.counts),
    }
    const any = counts.exact + counts.near + counts.contamination
    return failOn !== undefined && (failOn === 'any' ? any : counts[failOn]) > 0 ? 1 : 0
  })
