// @ts-check
// Requests to an engine that runs in a process of its own, and what their times say. Of every engine the process reads lines of JSON, each a list
// of requests, and answers with a line that has their times; the first line that it writes tells what it is.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/**
 * What is asked: ids of a prompt, the number of tokens to be answered, all of them, and when, in milliseconds.
 * @typedef {{ at: number, prompt: readonly number[], tokens: number }} Request
 */

/**
 * What came: when each piece of text reached the caller, in milliseconds from the start of the list; tokens of the answer.
 * @typedef {{ times: number[], tokens: number, text: string }} Answer
 */

/** @typedef {{ cpu_seconds: number, peak_rss_mib: number }} Usage */

/** An engine, and the process that it is in. */
export class EngineProcess {
  /** @type {import('node:child_process').ChildProcessByStdio<import('node:stream').Writable, import('node:stream').Readable, null>} */
  #child
  /** @type {AsyncIterator<string>} */
  #lines
  /** What the engine says of itself. @type {Record<string, unknown>} */
  about = {}

  /** @param {string} command @param {readonly string[]} args */
  constructor(command, args) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** @param {string} command @param {readonly string[]} args */
  static async start(command, args) {
    const engine = new EngineProcess(command, args)
    engine.about = await engine.#line()
    return engine
  }

  async #line() {
    const { value, done } = await this.#lines.next()
    if (done) throw new Error(`${this.#child.spawnargs.join(' ')} ended`)
    return JSON.parse(value)
  }

  /** Answers of such requests. @param {readonly Request[]} requests @returns {Promise<Answer[]>} */
  async answer(requests) {
    this.#child.stdin.write(`${JSON.stringify(requests)}\n`)
    /** @type {Answer[]} */
    const answers = await this.#line()
    answers.forEach(({ tokens }, i) => {
      const asked = requests[i]?.tokens
      if (tokens !== asked)
        throw new Error(`${this.#child.spawnargs.join(' ')}: ${tokens} tokens instead of ${asked}`)
    })
    return answers
  }

  /** Ends it. @returns {Promise<Usage>} */
  async end() {
    this.#child.stdin.end()
    const usage = await this.#line()
    this.#child.kill()
    return usage
  }
}

/**
 * What an engine's process does: lines of requests from standard input, each answered on standard output.
 * @param {Record<string, unknown>} about
 * @param {(request: Request, onPiece: () => void) => Promise<{ tokens: number, text: string }>} generate
 */
export async function serveRequests(about, generate) {
  process.stdout.write(`${JSON.stringify(about)}\n`)
  for await (const line of createInterface({ input: process.stdin })) {
    /** @type {Request[]} */
    const requests = JSON.parse(line)
    const start = performance.now()
    const answers = await Promise.all(
      requests.map(async (request) => {
        if (request.at > 0) await new Promise((resolve) => setTimeout(resolve, request.at))
        /** @type {number[]} */
        const times = []
        const now = () => times.push(performance.now() - start)
        const answer = await generate(request, now)
        // Blanks alone are no piece of text: the answer reaches its caller when it ends.
        if (times.length === 0) now()
        return { ...answer, times }
      }),
    )
    process.stdout.write(`${JSON.stringify(answers)}\n`)
  }
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
  const usage = { cpu_seconds: (userCPUTime + systemCPUTime) / 1e6, peak_rss_mib: maxRSS / 1024 }
  process.stdout.write(`${JSON.stringify(usage)}\n`)
}

/** Tokens of the prompts in a second, up to the first token of the last answer. @param {readonly Request[]} requests @param {readonly Answer[]} answers */
export function prefillRate(requests, answers) {
  const tokens = requests.reduce((sum, { prompt }) => sum + prompt.length, 0)
  return (1000 * tokens) / Math.max(...answers.map(({ times }) => times[0] ?? NaN))
}

/** Tokens in a second, of all answers together, from when each of them has its first one. @param {readonly Answer[]} answers */
export function decodingRate(answers) {
  const begin = Math.max(...answers.map(({ times }) => times[0] ?? NaN))
  const end = Math.max(...answers.map(({ times }) => times.at(-1) ?? NaN))
  // A piece of text has more than one token where a character has.
  const tokens = answers.reduce(
    (sum, { times, tokens: all }) => sum + (all / times.length) * times.filter((time) => time > begin).length,
    0,
  )
  return (1000 * tokens) / (end - begin)
}

/** Milliseconds from each request to its first token. @param {readonly Request[]} requests @param {readonly Answer[]} answers */
export const firstTokens = (requests, answers) =>
  answers.map(({ times }, i) => (times[0] ?? NaN) - (requests[i]?.at ?? NaN))

/** Milliseconds between one piece of an answer and the next. @param {readonly Answer[]} answers */
export const gaps = (answers) =>
  answers.flatMap(({ times }) => times.slice(1).map((time, i) => time - (times[i] ?? NaN)))

/** The value that such a share of a list is not above; NaN of an empty list. @param {readonly number[]} list @param {number} share */
export const quantile = (list, share) =>
  [...list].sort((a, b) => a - b)[Math.max(0, Math.ceil(share * list.length) - 1)] ?? NaN

/**
 * Requests of mixed lengths that arrive at random, the same ones for the same seed. The time between two is exponential, lengths are
 * as often between 16 and 32 as between 256 and 512.
 * @param {readonly number[]} ids of a text, of which each prompt is a part from another place
 * @param {{ count: number, seed: number, gap: number, prompt: [least: number, most: number], answer: [least: number, most: number] }} options gap: mean, in milliseconds
 * @returns {Request[]}
 */
export function arrivals(ids, { count, seed, gap, prompt, answer }) {
  let state = 1 + seed * 7919
  // Park and Miller 1988.
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647
  random()
  const length = (/** @type {[number, number]} */ [least, most]) =>
    Math.round(least * (most / least) ** random())
  let at = 0
  return Array.from({ length: count }, (_, i) => {
    if (i > 0) at += -gap * Math.log(random())
    const size = length(prompt)
    const place = Math.floor(random() * (ids.length - size))
    return { at: Math.round(at), prompt: ids.slice(place, place + size), tokens: length(answer) }
  })
}
