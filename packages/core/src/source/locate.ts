import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { IftError } from '@ift/tensor'
import { isArchive, isDataName, parseEntry } from '../files/data-names.js'
import { localPath } from '../files/paths.js'
import { isPattern } from '../files/pattern.js'
import { pathOf } from './path-of.js'
import { resolveSource } from './resolve.js'
import { parseHubId } from './spec.js'
import type { ResolveOptions } from './types.js'

/** A file of a hub repository, or several by a pattern: `org/name/part-*.jsonl`, `org/name@main/data/train.parquet`. */
interface HubFiles {
  /** The repository, as `resolveSource` takes it. */
  readonly spec: string
  /** Path or pattern inside. */
  readonly inside: string
}

/** Takes a text apart that names files of a hub repository; null for any other. Revisions with `/` are `refs/pr/1` and `refs/convert/parquet`. */
export function parseHubFiles(text: string): HubFiles | null {
  const found = /^((?:hf:)?[^/]+\/[^/@]+(?:@(?:refs\/(?:pr|convert)\/[^/]+|[^/]+))?)\/(.+)$/.exec(text)
  if (!found) return null
  const [, spec, inside] = found as unknown as [string, string, string]
  return parseHubId(spec) && (isPattern(inside) || isDataName(inside) || isArchive(inside))
    ? { spec, inside }
    : null
}

const exists = async (path: string): Promise<boolean> => (await stat(path).catch(() => null)) !== null

/** The same, of a text that a path on this machine does not explain. */
export async function hubFilesOf(spec: string, rootDir: string): Promise<HubFiles | null> {
  const onHub = (await exists(localPath(rootDir, spec))) ? null : parseHubFiles(spec)
  const isMeant = spec.startsWith('hf:') || !(await exists(localPath(rootDir, spec.split('/')[0]!)))
  return isMeant ? onHub : null
}

/**
 * Place of a dataset's files on this machine, as `dataFiles` reads it: a path, a pattern, or a hub id whose files are fetched (all that are
 * data, or those of `patterns`), or files of one. What lies behind `!/` stays as it is. A text of three parts is a file of the hub only if
 * nothing here is called as its first part; with `hf:` in front it always is.
 */
export async function locateData(text: string, options: ResolveOptions): Promise<string> {
  const spec = parseEntry(text)?.archive ?? text
  const entries = text.slice(spec.length)
  const local = localPath(options.rootDir, spec)
  if (await exists(localPath(options.rootDir, text))) return localPath(options.rootDir, text)
  const onHub = await hubFilesOf(spec, options.rootDir)
  if (onHub) {
    try {
      const { dir } = await resolveSource(onHub.spec, { ...options, patterns: [onHub.inside] })
      return join(dir, onHub.inside) + entries
    } catch (cause) {
      if (!(cause instanceof IftError) || spec.startsWith('hf:')) throw cause
      // It may have been meant as a path.
      throw new IftError(cause.code, `${cause.message} There is no file ${local} either.`, cause.hint, {
        cause,
      })
    }
  }
  const looksLocal = !spec.startsWith('hf:') && (isPattern(spec) || (entries !== '' && !parseHubId(spec)))
  if (looksLocal) return local + entries
  return pathOf(await resolveSource(spec, options), spec) + entries
}
