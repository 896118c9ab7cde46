// @ts-check
// A client that streams completions with fetch and reads server-sent events by hand, and what it sees in times.
import { performance } from 'node:perf_hooks'

/**
 * @typedef {object} Seen What a client sees of one answer, in milliseconds. @property {number} first from the request to the first token
 * @property {number[]} gaps between the events with tokens behind it @property {number} total @property {number} tokens as the server counts them
 * @property {string | null} finish
 */

/**
 * Events of a stream of server-sent events: their data, in order. `pause` waits between reads, as a slow reader does.
 * @param {Response} response @param {(() => Promise<void>) | undefined} pause
 */
async function* events(response, pause) {
  if (!response.body) throw new Error('The reply has no body.')
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of response.body) {
    text += decoder.decode(bytes, { stream: true })
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const event = text.slice(0, end)
      text = text.slice(end + 2)
      for (const line of event.split('\n')) if (line.startsWith('data: ')) yield line.slice(6)
    }
    await pause?.()
  }
}

/**
 * One completion as a stream. Rejects for a status above 200, an error in the stream, and a stream that breaks off.
 * @param {string} url up to /v1 @param {object} body @param {{ signal?: AbortSignal, pause?: () => Promise<void> }} [options]
 * @returns {Promise<Seen>}
 */
export async function streamCompletion(url, body, { signal, pause } = {}) {
  const start = performance.now()
  const response = await fetch(`${url}/completions`, {
    method: 'POST',
    // A connection of its own: llama.cpp's server closes those that it has kept, and a request that is on its way then fails.
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }),
    ...(signal && { signal }),
  })
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
  /** @type {number | null} */
  let last = null
  let first = NaN
  const gaps = []
  let tokens = 0
  let finish = null
  let done = false
  for await (const data of events(response, pause)) {
    if (data === '[DONE]') {
      done = true
      continue
    }
    const { choices = [], usage, error } = JSON.parse(data)
    if (error) throw new Error(JSON.stringify(error))
    if (usage) tokens = usage.completion_tokens
    const [choice] = choices
    if (choice?.finish_reason) finish = choice.finish_reason
    if (!choice?.text) continue
    const now = performance.now()
    if (last === null) first = now - start
    else gaps.push(now - last)
    last = now
  }
  if (!done) throw new Error('The stream ended without [DONE].')
  return { first, gaps, total: performance.now() - start, tokens, finish }
}

/** The value below which a share lies. @param {readonly number[]} values @param {number} share */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? NaN
}

/** Times of many answers in milliseconds: half and 99 of 100 are below. @param {readonly number[]} values */
export const times = (values) => ({
  p50: Number(percentile(values, 0.5).toFixed(2)),
  p90: Number(percentile(values, 0.9).toFixed(2)),
  p99: Number(percentile(values, 0.99).toFixed(2)),
})

/** Numbers below a bound, of a seed (Park and Miller 1988). @param {number} seed */
export function random(seed) {
  let state = seed
  return (/** @type {number} */ below) => (state = (state * 48271) % 2147483647) % below
}

/** Ids of a prompt that no other one begins with. @param {number} seed @param {number} length @param {number} vocabulary */
export const promptIds = (seed, length, vocabulary) =>
  Array.from({ length }, (_, i) => 100 + ((seed * 7919 + i * 104_729) % (vocabulary - 200)))
