// Reads files that its parent names, one after another, and says what came of each.

import { IftError } from '@ift/core'
import { targets } from './targets.mjs'

process.on('message', async ({ target, path }) => {
  const start = performance.now()
  /** @type {{ outcome: string, code?: string, digest?: string | null, error?: string }} */
  let result
  try {
    result = { outcome: 'accepted', digest: await targets.find(({ name }) => name === target).read(path) }
  } catch (error) {
    result =
      error instanceof IftError
        ? { outcome: 'refused', code: error.code, error: error.message.slice(0, 300) }
        : { outcome: 'fault', error: String(error instanceof Error ? error.stack : error).slice(0, 2000) }
  }
  const { maxRSS } = process.resourceUsage()
  process.send({ ...result, seconds: (performance.now() - start) / 1000, peak: maxRSS * 1024 })
})
process.send({ outcome: 'ready' })
