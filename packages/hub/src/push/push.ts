import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hubSettings, IftError, type LoadOptions } from '@ift/core'
import type { CardFacts } from '../card/facts.js'
import { makeCard, type CardRequest } from '../card/make-card.js'
import { licenceOfCard } from '../card/read-head.js'
import { isEdited, writeCard } from '../card/write-card.js'
import { pushedFiles, secretsIn, type PushedFile } from './files.js'
import { publish, type Published } from './publish.js'
import { thisMachine } from './secrets.js'

/** What is pushed, where. */
export interface PushRequest extends CardRequest {
  /** `org/name`. */
  readonly repo: string
  readonly isPublic?: boolean
  /** Nothing is written or sent. */
  readonly dryRun?: boolean
  /** Findings of the scan that are none, as `file:line`. */
  readonly allow?: readonly string[]
  readonly signal?: AbortSignal
  readonly retryDelayMs?: number
}

/** What was, or would be, pushed. */
export interface Pushed {
  readonly files: readonly PushedFile[]
  /** Names in the folder that stay. */
  readonly left: readonly string[]
  readonly tag: string
  /** Null in a dry run. */
  readonly published: Published | null
}

/** A name for the run that an adapter is of: when it began, and what it came to. */
function tagOf({ run: { manifest }, weights }: CardFacts): string {
  const hash = [...weights.values()][0]?.slice(0, 8) ?? 'none'
  const began = manifest?.started.replaceAll(/[-:]|\.\d+/g, '')
  return began !== undefined && /^\d{8}T\d{6}Z$/.test(began) ? `run-${began}-${hash}` : `adapter-${hash}`
}

/** adapter_config.json with the base as others know it: a path of this machine leads nobody anywhere. */
async function withBase(dir: string, { base, settings }: CardFacts, note: (text: string) => void) {
  const found = settings.base_model_name_or_path
  if (base === null || found == null || found === base.name) return null
  const text = await readFile(join(dir, 'adapter_config.json'), 'utf8')
  note(
    base.id === undefined
      ? `adapter_config.json is pushed with the base "${base.name}" in place of a path. Others name the base themselves; --base org/name says where it is.`
      : `adapter_config.json is pushed with the base ${base.id}.`,
  )
  return text.replace(
    /("base_model_name_or_path":\s*)"(?:[^"\\]|\\.)*"/,
    (_, key: string) => key + JSON.stringify(base.name),
  )
}

/**
 * Publishes an adapter with its card. IFT_HUB_SECRETS, with file and line, where a key, the path of a home or the name of a host stands in what
 * would be pushed; IFT_CARD_LICENSE for a card whose licence the data does not allow.
 */
export async function pushAdapter(
  session: LoadOptions,
  request: PushRequest,
  note: (text: string) => void = () => undefined,
): Promise<Pushed> {
  const { repo, dryRun = false, isPublic = false, allow = [] } = request
  const { endpoint, token, offline } = hubSettings()
  const { found, facts, files: fresh, edited } = await cardFor(session, request, note)
  const settings = await withBase(found.dir, facts, note)
  const replaced = new Map([
    ...fresh,
    ...(settings === null ? [] : [['adapter_config.json', settings] as const]),
  ])
  const { files, left } = await pushedFiles(found.dir, replaced)
  const secrets = await secretsIn(files, thisMachine(token === null ? [] : [token]))
  const told = secrets.filter(({ file, line }) => !allow.includes(`${file}:${line}`))
  if (told.length > 0)
    throw new IftError(
      'IFT_HUB_SECRETS',
      `Nothing is pushed: what others need not see stands in ${told.length > 1 ? `${told.length} places` : 'one place'} of ${found.dir}:\n${told
        .slice(0, 20)
        .map(({ file, line, what }) => `  - ${file}:${line}: ${what}`)
        .join('\n')}${told.length > 20 ? '\n  - …' : ''}`,
      `Take it out. If it is none: --allow ${told[0]!.file}:${told[0]!.line}`,
    )
  const tag = tagOf(facts)
  if (dryRun) return { files, left, tag, published: null }
  if (offline)
    throw new IftError(
      'IFT_SOURCE_OFFLINE',
      'Nothing may be sent: HF_HUB_OFFLINE is set.',
      'unset HF_HUB_OFFLINE',
    )
  if (token === null)
    throw new IftError(
      'IFT_HUB_REFUSED',
      `There is no token for ${endpoint}.`,
      `Make one with the right to write at ${endpoint}/settings/tokens: export HF_TOKEN=hf_…`,
    )
  const published = await publish({
    ...{ endpoint, token, id: repo, isPublic, files, tag },
    title: `${facts.title}: ${tag}`,
    signal: request.signal,
    retryDelayMs: request.retryDelayMs,
  })
  if (!edited) await writeCard(found.dir, fresh)
  return { files, left, tag, published }
}

/** The card that is pushed: the one that somebody has edited as it is, else a new one. */
async function cardFor(session: LoadOptions, request: PushRequest, note: (text: string) => void) {
  const first = await makeCard(session, request, note)
  if (!(await isEdited(first.found.dir))) return { ...first, edited: false }
  note('README.md has been edited, and is pushed as it is.')
  const license = await licenceOfCard(first.found.dir)
  // Whatever somebody has written there, the data decides what it may be.
  if (license !== null && license !== 'other') await makeCard(session, { ...request, license })
  return { ...first, files: new Map<string, string>(), edited: true }
}
