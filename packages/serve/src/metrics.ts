import type { EngineLoad, Generation } from '@ift/core'

type Labels = Readonly<Record<string, string>>

const labelText = (labels: Labels): string => {
  const parts = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`,
  )
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}

/** A number that grows, for each combination of labels. */
class Counter {
  readonly #values = new Map<string, number>()

  add(count = 1, labels: Labels = {}): void {
    const key = labelText(labels)
    this.#values.set(key, (this.#values.get(key) ?? 0) + count)
  }

  lines(name: string): string[] {
    const values = this.#values.size === 0 ? [['', 0] as const] : [...this.#values]
    return values.map(([labels, value]) => `${name}${labels} ${value}`)
  }
}

/** How often values were at most these. */
class Histogram {
  readonly #counts: number[]
  #sum = 0
  #count = 0

  constructor(readonly bounds: readonly number[]) {
    this.#counts = bounds.map(() => 0)
  }

  observe(value: number): void {
    this.#sum += value
    this.#count++
    for (const [i, bound] of this.bounds.entries()) if (value <= bound) this.#counts[i]!++
  }

  lines(name: string): string[] {
    return [
      ...this.bounds.map((bound, i) => `${name}_bucket{le="${bound}"} ${this.#counts[i]!}`),
      `${name}_bucket{le="+Inf"} ${this.#count}`,
      `${name}_sum ${this.#sum}`,
      `${name}_count ${this.#count}`,
    ]
  }
}

const seconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]

/** What a server tells of itself, in the text format of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/). */
export class Metrics {
  readonly #prompts = new Counter()
  readonly #generated = new Counter()
  readonly #ended = new Counter()
  readonly #replies = new Counter()
  readonly #queries = new Counter()
  readonly #hits = new Counter()
  readonly #firstToken = new Histogram(seconds)
  readonly #betweenTokens = new Histogram(seconds)
  readonly #whole = new Histogram(seconds)
  readonly #queued = new Histogram(seconds)

  /** A reply of a status; 499 for a client that went away before it. */
  replied(status: number): void {
    this.#replies.add(1, { status: String(status) })
  }

  /** An answer has ended, after so many seconds. */
  answered({ ids, end, promptTokens, cachedTokens, finish }: Generation, model: string, after: number): void {
    this.#prompts.add(promptTokens)
    this.#generated.add(ids.length + (end ? 1 : 0))
    this.#queries.add(promptTokens)
    this.#hits.add(cachedTokens)
    this.#ended.add(1, { finished_reason: finish === 'length' ? 'length' : 'stop', model_name: model })
    this.#whole.observe(after)
  }

  /** The first tokens of an answer, seconds after it was asked for and after its prompt was begun. */
  begun(after: number, queued: number): void {
    this.#firstToken.observe(after)
    this.#queued.observe(queued)
  }

  /** Tokens that came so many seconds after those before. */
  went(on: number): void {
    this.#betweenTokens.observe(on)
  }

  text({ running, waiting, preemptions, pages }: EngineLoad): string {
    const family = (name: string, type: string, help: string, lines: (name: string) => readonly string[]) => [
      `# HELP ift_${name} ${help}`,
      `# TYPE ift_${name} ${type}`,
      ...lines(`ift_${name}`),
    ]
    const one = (value: number) => (name: string) => [`${name} ${value}`]
    const used = pages.most === 0 || !Number.isFinite(pages.most) ? 0 : (pages.held - pages.kept) / pages.most
    const all = [
      family('num_requests_running', 'gauge', 'Requests that are computed.', one(running)),
      family('num_requests_waiting', 'gauge', 'Requests that wait for room.', one(waiting)),
      family('kv_cache_usage_perc', 'gauge', 'Share of the cache in use, 1 is all.', one(Math.max(0, used))),
      family('num_preemptions_total', 'counter', 'Requests that made room for others.', one(preemptions)),
      family(
        'prefix_cache_queries_total',
        'counter',
        'Tokens of prompts that were looked for in the cache.',
        (name) => this.#queries.lines(name),
      ),
      family('prefix_cache_hits_total', 'counter', 'Tokens of prompts that stood in the cache.', (name) =>
        this.#hits.lines(name),
      ),
      family('prompt_tokens_total', 'counter', 'Tokens of prompts.', (name) => this.#prompts.lines(name)),
      family('generation_tokens_total', 'counter', 'Tokens of answers.', (name) =>
        this.#generated.lines(name),
      ),
      family('request_success_total', 'counter', 'Answers, by why they ended.', (name) =>
        this.#ended.lines(name),
      ),
      family('http_replies_total', 'counter', 'Replies by status; 499 where the client went away.', (name) =>
        this.#replies.lines(name),
      ),
      family('time_to_first_token_seconds', 'histogram', 'From the request to its first token.', (name) =>
        this.#firstToken.lines(name),
      ),
      family('inter_token_latency_seconds', 'histogram', 'From a token to the next.', (name) =>
        this.#betweenTokens.lines(name),
      ),
      family('e2e_request_latency_seconds', 'histogram', 'From the request to its end.', (name) =>
        this.#whole.lines(name),
      ),
      family('request_queue_time_seconds', 'histogram', 'From the request to its first step.', (name) =>
        this.#queued.lines(name),
      ),
    ]
    return `${all.flat().join('\n')}\n`
  }
}
