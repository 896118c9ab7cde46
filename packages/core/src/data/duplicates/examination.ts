import type { Cluster } from './clusters.js'

/** What becomes of examples that share a text with an evaluation. */
export type ContaminationAction = 'drop' | 'warn' | 'error'

/** A record and the one that it is like. */
export interface Finding {
  /** `question`: an earlier record has the question, with another answer. */
  readonly kind: 'exact' | 'near' | 'question' | 'contaminated'
  /** `file:line` of the record and of the other one. */
  readonly where: string
  readonly of: string
  /** Names of their sets. */
  readonly set: string
  readonly ofSet: string
  /** Jaccard similarity of a repeat. */
  readonly similarity?: number
  /** The beginning of the text that a contaminated record shares, normalised. */
  readonly text?: string
}

/** Counts by the set of the earlier record (rows) and that of the later one (columns), both in the order of `sets`. */
export type Matrix = readonly (readonly number[])[]

/** What repeats in several sets of examples, and what of them is evaluated on. */
export interface Examination {
  readonly sets: readonly {
    readonly name: string
    readonly examples: number
    /** Examples without words, and token ids, which are not compared. */
    readonly withoutText: number
  }[]
  /** Examples that are equal to an earlier one; null when repeats were not looked for. */
  readonly exact: Matrix | null
  /** Examples with the question of an earlier one and another answer; null when they were not counted. */
  readonly questions: Matrix | null
  readonly near: Matrix | null
  /** Examples that had so many candidates for near duplicates that not all were compared. */
  readonly crowded: number
  readonly clusters: {
    /** Examples that others repeat. */
    readonly count: number
    /** The ones that most repeat, largest first. */
    readonly largest: readonly Cluster[]
  }
  readonly contamination: {
    readonly evaluations: readonly { readonly name: string; readonly questions: number }[]
    /** Contaminated examples by evaluation (rows) and set (columns); an example counts for the first evaluation that it shares a text with. */
    readonly counts: Matrix
    /** The first of them. */
    readonly found: readonly Finding[]
  }
}
