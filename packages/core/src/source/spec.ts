import { stat } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { IftError } from '@ift/tensor'
import { localPath } from '../files/paths.js'
import type { SourceKind } from './types.js'

export type SourceSpec =
  { readonly path: string; readonly isFile: boolean } | { readonly id: string; readonly revision: string }

const hubId = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/

/** Branches, tags, commits and pull requests ('refs/pr/1'); never a way out of a folder. */
const isRevision = (revision: string) =>
  /^[\w.+/-]{1,255}$/.test(revision) &&
  !revision.split('/').some((part) => part === '' || part === '.' || part === '..')

const looksLocal = (spec: string) => /^(\.{1,2}|~)([/\\]|$)/.test(spec) || isAbsolute(spec)

/** Whether a text can be a hub id: 'org/name', 'org/name@revision', 'hf:…'. */
export function parseHubId(spec: string): { readonly id: string; readonly revision: string } | null {
  const named = spec.startsWith('hf:')
  const text = named ? spec.slice(3) : spec
  const at = text.indexOf('@')
  const id = at < 0 ? text : text.slice(0, at)
  const revision = at < 0 ? 'main' : text.slice(at + 1)
  const known = hubId.test(id) || (named && /^[A-Za-z0-9][\w.-]{0,95}$/.test(id))
  if (!known || id.includes('..') || id.includes('--') || id.endsWith('.git')) return null
  return isRevision(revision) ? { id, revision } : null
}

/**
 * A folder or file that exists, else a hub id. Throws IFT_SOURCE_NOT_FOUND for a path where nothing is and
 * IFT_SOURCE_SPEC for what can be neither.
 */
export async function parseSource(spec: string, rootDir: string, kind: SourceKind): Promise<SourceSpec> {
  const path = localPath(rootDir, spec)
  if (spec !== '' && !spec.startsWith('hf:')) {
    const found = await stat(path).catch(() => null)
    if (found) return { path, isFile: !found.isDirectory() }
  }
  if (looksLocal(spec))
    throw new IftError(
      'IFT_SOURCE_NOT_FOUND',
      `The ${kind} "${spec}" does not exist: there is no file or folder ${path}.`,
      'Paths start at the folder of the config file. A hub id is written org/name.',
    )
  const hub = parseHubId(spec)
  if (hub) return hub
  throw new IftError(
    'IFT_SOURCE_SPEC',
    `The ${kind} "${spec}" is neither a file or folder (looked for ${path}) nor a hub id.`,
    'A hub id is org/name or org/name@revision, as in the address of its page.',
  )
}
