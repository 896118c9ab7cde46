import { pathToFileURL } from 'node:url'
import { commit, createRepo, HubApiError } from '@huggingface/hub'
import { IftError } from '@ift/core'
import type { PushedFile } from './files.js'
import { hubFetch, type HubAccess } from './hub-fetch.js'

/** What is published, where. */
export interface Publication extends HubAccess {
  /** `org/name` of a model. */
  readonly id: string
  readonly isPublic: boolean
  readonly files: readonly PushedFile[]
  readonly title: string
  /** Tag of the commit; an older one of the name is moved. */
  readonly tag: string
}

export interface Published {
  readonly commit: string
  readonly url: string
  /** Whether the repository was made for it. */
  readonly isNew: boolean
}

/** The library sends only tokens of this form; `hubFetch` puts the one in use in its place, which may be of another hub. */
const formOfToken = 'hf_'

/** What a hub says, short enough for a message. */
const said = (error: Error) => error.message.replaceAll(/[\p{Cc}\s]+/gu, ' ').slice(0, 300)

function explain(error: unknown, { id, endpoint }: Publication): unknown {
  if (error instanceof IftError || (error instanceof Error && error.name === 'AbortError')) return error
  if (error instanceof HubApiError && [401, 403].includes(error.statusCode))
    return new IftError(
      'IFT_HUB_REFUSED',
      `${endpoint} does not let the token write to ${id} (HTTP ${error.statusCode}): ${said(error)}`,
      `Take a token with the right to write to ${id.split('/')[0]}, from ${endpoint}/settings/tokens: export HF_TOKEN=hf_…`,
      { cause: error },
    )
  if (error instanceof HubApiError)
    return new IftError(
      'IFT_HUB_REFUSED',
      `${endpoint} refused the push to ${id} (HTTP ${error.statusCode}): ${said(error)}`,
      'Nothing is half there: a push is one commit. Mend what it says, and push again.',
      { cause: error },
    )
  const reason = error instanceof Error ? error : new Error(String(error))
  const inner = reason.cause instanceof Error && reason.cause.message !== '' ? reason.cause : reason
  return new IftError(
    'IFT_SOURCE_NETWORK',
    `The push to ${id} at ${endpoint} broke off: ${said(inner)}`,
    `See whether it arrived at ${endpoint}/${id}; else push again: a push is one commit. Behind a mirror: export HF_ENDPOINT=https://…`,
    { cause: error },
  )
}

/** Whether a repository is there, and may be seen by everybody; null where there is none that the token may read. */
async function visibility(
  fetchHub: typeof fetch,
  { endpoint, id }: Publication,
): Promise<'public' | 'private' | null> {
  const response = await fetchHub(`${endpoint}/api/models/${id}`)
  if (response.status === 401 || response.status === 404) return null
  const about = await response.text()
  if (!response.ok) throw new HubApiError(response.url, response.status, undefined, about.slice(0, 300))
  try {
    return (JSON.parse(about) as { readonly private?: unknown } | null)?.private === true
      ? 'private'
      : 'public'
  } catch (cause) {
    throw new Error('its answer is no JSON', { cause })
  }
}

async function setTag(fetchHub: typeof fetch, { endpoint, id, tag, title }: Publication, revision: string) {
  const base = `${endpoint}/api/models/${id}/tag`
  const make = () =>
    fetchHub(`${base}/${encodeURIComponent(revision)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ tag, message: title }),
    })
  let response = await make()
  if (response.status === 409) {
    await fetchHub(`${base}/${encodeURIComponent(tag)}`, { method: 'DELETE' })
    response = await make()
  }
  if (!response.ok)
    throw new HubApiError(response.url, response.status, undefined, (await response.text()).slice(0, 300))
}

/**
 * Publishes files in one commit of a repository, which is made where there is none, and tags it. Large files go by Git LFS. IFT_HUB_REFUSED
 * for what the hub does not allow, and for a public repository where a private one is meant; IFT_SOURCE_NETWORK where the connection ends.
 */
export async function publish(publication: Publication): Promise<Published> {
  const { endpoint, id, isPublic, files, title, signal } = publication
  const fetchHub = hubFetch(publication)
  const hub = { hubUrl: endpoint, accessToken: formOfToken, fetch: fetchHub }
  const repo = { type: 'model', name: id } as const
  try {
    const seen = await visibility(fetchHub, publication)
    if (seen === 'public' && !isPublic)
      throw new IftError(
        'IFT_HUB_REFUSED',
        `${endpoint}/${id} is public, and the push was to be private.`,
        `Publish there: npx ift push ${id} --public. Or take another name.`,
      )
    if (seen === null) await createRepo({ ...hub, repo, visibility: isPublic ? 'public' : 'private' })
    const made = await commit({
      ...{ ...hub, repo, title },
      // Git LFS, which every hub speaks; adapters are small.
      useXet: false,
      ...(signal && { abortSignal: signal }),
      operations: files.map(({ name, content }) => ({
        operation: 'addOrUpdate',
        path: name,
        content: 'text' in content ? new Blob([content.text]) : pathToFileURL(content.path),
      })),
    })
    if (made === undefined) throw new Error('its answer names no commit')
    const { oid } = made.commit
    await setTag(fetchHub, publication, oid)
    return { commit: oid, url: `${endpoint}/${id}`, isNew: seen === null }
  } catch (error) {
    throw explain(error, publication)
  }
}
