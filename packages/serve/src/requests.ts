import { performance } from 'node:perf_hooks'
import type { Answer } from '@ift/core'
import type { Metrics } from './metrics.js'
import type { RequestScope } from './routes/route.js'
import { HttpError, unavailable } from './wire/errors.js'

/** What is known of a request when it begins. */
interface Entered {
  /** Aborted when the client goes away. */
  readonly gone: AbortSignal
  /** Name of the model that answers; undefined where none does. */
  readonly model: string | undefined
  /** Told of the error that ended a reply which had begun. */
  readonly failed: (error: unknown) => void
  /** Told once of a client that went away. */
  readonly left: () => void
}

/** Requests under way: how many there may be, and how they end when the server does. */
export class Requests {
  readonly #mostWaiting: number
  readonly #waiting: () => number
  readonly #metrics: Metrics
  /** With the name of the model that answers each. */
  readonly #open = new Map<AbortController, string | undefined>()
  /** Told when a request has ended. */
  readonly #ends = new Set<() => void>()
  #draining = false
  #idle: (() => void) | null = null

  /** `waiting`: requests for which there is no room now. */
  constructor(mostWaiting: number, waiting: () => number, metrics: Metrics) {
    this.#mostWaiting = mostWaiting
    this.#waiting = waiting
    this.#metrics = metrics
  }

  get count(): number {
    return this.#open.size
  }

  /** Throws 503 once the server is being shut down. */
  requireOpen(): void {
    if (this.#draining) throw unavailable('shutting_down', 'The server is being shut down.')
  }

  /** A request that begins; its signal is aborted with `gone` or by the server. Throws 429 where too many wait. */
  enter({ gone, model, failed, left }: Entered): RequestScope {
    this.requireOpen()
    if (this.#waiting() >= this.#mostWaiting)
      throw new HttpError(429, 'queue_full', `${this.#mostWaiting} requests wait already, the limit.`, {
        type: 'rate_limit_error',
        headers: { 'retry-after': '1' },
      })
    const controller = new AbortController()
    const onGone = () => {
      controller.abort(gone.reason)
    }
    gone.addEventListener('abort', onGone, { once: true })
    if (gone.aborted) onGone()
    this.#open.set(controller, model)
    const started = performance.now()
    let isOver = false
    let isGone = false
    const wentAway = () => {
      if (isGone) return
      isGone = true
      left()
    }
    return {
      signal: controller.signal,
      cancel: (reason) => {
        controller.abort(reason)
      },
      answers: (answers) => {
        for (const answer of answers) this.#watch(answer, model ?? '', started)
      },
      failed: (error) => {
        if (gone.aborted) wentAway()
        else if (!isGone) failed(error)
      },
      gone: wentAway,
      leave: () => {
        if (isOver) return
        isOver = true
        gone.removeEventListener('abort', onGone)
        this.#open.delete(controller)
        for (const told of this.#ends) told()
        if (this.#open.size === 0) this.#idle?.()
      },
    }
  }

  /** Resolves when no request of a model is under way. */
  async unused(model: string): Promise<void> {
    while ([...this.#open.values()].includes(model))
      await new Promise<void>((resolve) => {
        const told = () => {
          this.#ends.delete(told)
          resolve()
        }
        this.#ends.add(told)
      })
  }

  /** Counts an answer when it has ended; one that fails is counted by its status. */
  #watch(answer: Answer, model: string, started: number): void {
    const since = () => (performance.now() - started) / 1000
    answer.result.then(
      (generation) => {
        this.#metrics.answered(generation, model, since())
        const { times } = answer
        let before = times[0]
        if (before !== undefined)
          this.#metrics.begun(
            (before - started) / 1000,
            Math.max(0, ((answer.begun ?? started) - started) / 1000),
          )
        for (const time of times.slice(1)) {
          this.#metrics.went((time - before!) / 1000)
          before = time
        }
      },
      () => undefined,
    )
  }

  /** Takes no more requests, and waits for those under way, `grace` milliseconds at most; then they are ended. */
  async drain(grace: number): Promise<void> {
    this.#draining = true
    if (this.#open.size === 0) return
    const idle = new Promise<void>((resolve) => (this.#idle = resolve))
    const timer = setTimeout(() => {
      const reason = unavailable('shutting_down', 'The server was shut down before the answer ended.')
      for (const controller of this.#open.keys()) controller.abort(reason)
    }, grace)
    await idle
    clearTimeout(timer)
  }
}
