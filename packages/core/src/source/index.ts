import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { IftError } from '@ift/tensor'

export type SourceKind = 'model' | 'dataset' | 'adapter'

export interface SourceOptions {
  readonly kind: SourceKind
  /** Folder that relative paths start from. */
  readonly rootDir: string
  /** Hugging Face cache in Python's layout. */
  readonly cacheDir: string
}

export interface ResolvedSource {
  /** The file or folder itself. */
  readonly path: string
  /** The folder, or that of the file. */
  readonly dir: string
}

/** org/name[@revision], optionally behind hf: */
const hubId = /^(?:hf:)?([\w.-]+\/[\w.-]+)(?:@([\w./-]+))?$/

/** Snapshot of a hub id in the cache, or null. */
function cachedSnapshot(cacheDir: string, id: string, revision: string): string | null {
  const repo = ['models', 'datasets']
    .map((kind) => join(cacheDir, `${kind}--${id.replace('/', '--')}`))
    .find(existsSync)
  if (repo === undefined) return null
  const ref = join(repo, 'refs', revision)
  const commit = existsSync(ref) && statSync(ref).isFile() ? readFileSync(ref, 'utf8').trim() : revision
  const snapshot = join(repo, 'snapshots', commit)
  return existsSync(snapshot) ? snapshot : null
}

/**
 * A file or folder, or the snapshot of a hub id in the local Hugging Face cache. Throws IFT_SOURCE_NOT_FOUND naming where
 * it looked.
 */
export function resolveSource(spec: string, { kind, rootDir, cacheDir }: SourceOptions): ResolvedSource {
  const path = resolve(rootDir, spec)
  if (existsSync(path)) return { path, dir: statSync(path).isDirectory() ? path : dirname(path) }
  const hub = isAbsolute(spec) || spec.startsWith('.') ? null : hubId.exec(spec)
  if (hub) {
    const snapshot = cachedSnapshot(cacheDir, hub[1]!, hub[2] ?? 'main')
    if (snapshot !== null) return { path: snapshot, dir: snapshot }
    throw new IftError(
      'IFT_SOURCE_NOT_FOUND',
      `${kind} "${spec}": no such path, and the Hugging Face cache at ${cacheDir} does not hold it.`,
      `Download it first: huggingface-cli download ${hub[1]!}`,
    )
  }
  throw new IftError(
    'IFT_SOURCE_NOT_FOUND',
    `${kind} "${spec}": there is nothing at ${path}.`,
    'Check the path; relative paths start at the folder of the config file.',
  )
}
