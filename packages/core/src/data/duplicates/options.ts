/** How near duplicates are found. */
export interface NearOptions {
  /** Jaccard similarity from which on two texts are near duplicates, above 0 and at most 1. */
  readonly threshold: number
  /** Permutations of MinHash. */
  readonly permutations: number
  /** Bands that the permutations are cut into; divides their number. */
  readonly bands: number
  /** Units in a shingle: words, or characters of scripts without spaces. */
  readonly shingle: number
}

/** Which examples repeat others. */
export interface RepeatOptions {
  /** What is compared: question and answer, or questions alone. */
  readonly by: 'example' | 'question'
  /** Null for those alone that are equal. */
  readonly near: NearOptions | null
}

/** What makes a question one of an evaluation. */
export interface OverlapOptions {
  /** Words in a row that both have. */
  readonly words: number
  /** The same for characters of scripts without spaces. */
  readonly characters: number
}

/** Share of the pairs at the threshold that are to be found. */
const wanted = 0.9

/** The fewest bands by which pairs at the threshold become candidates with a probability of 0.9; as many as permutations at most. */
export function bandsFor(threshold: number, permutations: number): number {
  for (let bands = 1; bands < permutations; bands++)
    if (permutations % bands === 0 && 1 - (1 - threshold ** (permutations / bands)) ** bands >= wanted)
      return bands
  return permutations
}

export const nearDefaults: NearOptions = { threshold: 0.8, permutations: 128, bands: 16, shingle: 5 }
export const overlapDefaults: OverlapOptions = { words: 13, characters: 20 }
