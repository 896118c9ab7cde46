import type { AdapterChoice } from '../../contract/adapters.js'
import type { Decoder } from '../decoder.js'
import type { Wanted } from '../feeds.js'

/** What an engine needs of a decoder. */
export type EngineDecoder = Pick<
  Decoder,
  | 'backend'
  | 'model'
  | 'adapters'
  | 'add'
  | 'begin'
  | 'fork'
  | 'remove'
  | 'end'
  | 'share'
  | 'pass'
  | 'pages'
  | 'pagesFor'
  | 'hasRoom'
  | 'checkAdapter'
  | 'forgetPrefixes'
>

/** A sequence of a job in the cache. */
export interface Line {
  readonly sequence: number
  /** What it holds and is to be fed. */
  readonly ids: number[]
  /** Tokens of it that have been fed. */
  fed: number
}

/** Who asks, and what for. */
export interface JobOrder {
  readonly id: number
  readonly adapter: AdapterChoice
  /** It goes on from what requests with the same salt have left in the cache, and from nothing else. */
  readonly salt: string
  /** The higher goes first. */
  readonly priority: number
  /** Whether the prompt has to be fed at once. */
  readonly isWhole: boolean
}

/** How a request is served: the lines that it has in the cache. */
export abstract class Job {
  readonly id: number
  readonly adapter: AdapterChoice
  readonly salt: string
  readonly priority: number
  readonly isWhole: boolean
  /** None while it waits, one while its prompt is fed. */
  readonly lines: Line[] = []
  /** Sequences that it grows to. */
  readonly width: number = 1
  /** Tokens of its beginning, but for the last of them, that it can take from what other sequences began with, without computing them. */
  readonly reusable: number = Infinity
  /** Tokens of its beginning that stood in the cache when it began first. */
  cached = 0
  /** Pages that it takes beside those for its tokens, while it takes a step. */
  readonly pagesAside: number = 0

  constructor({ id, adapter, salt, priority, isWhole }: JobOrder) {
    this.id = id
    this.adapter = adapter
    this.salt = salt
    this.priority = priority
    this.isWhole = isWhole
  }

  /** Tokens of the line that it begins with, what was generated before it had to make room included. */
  abstract beginning(): readonly number[]

  /** It is in a step; called before each. */
  steps(): void {
    // Who asked may want to know.
  }

  /** What is asked of the next tokens of a line. */
  wanted(line: Line, tokens: number): Wanted {
    return unfed(line) === tokens ? 'next' : 'nothing'
  }

  /** Takes its lines out of the cache; `keep` for what they hold to be found by others. */
  release(decoder: EngineDecoder, keep: boolean): void {
    for (const { sequence, ids, fed } of this.lines.splice(0))
      if (keep) decoder.end(sequence, ids.slice(0, fed))
      else decoder.remove(sequence)
  }

  /** Ends it without what was asked for. */
  abstract fail(error: unknown): void
}

/** The order in which jobs are served: by priority, then as they came. */
export const byRank = (a: Job, b: Job): number => b.priority - a.priority || a.id - b.id

/** Tokens of a line that are still to be fed. */
export const unfed = ({ ids, fed }: Line): number => ids.length - fed
