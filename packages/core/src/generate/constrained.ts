/** Whether a mask of a constraint has a token; every token where there is none. Vocabularies of models may go on behind it. */
export const within = (mask: Uint32Array | null, id: number): boolean =>
  mask === null || ((mask[id >>> 5] ?? 0) & (1 << (id & 31))) !== 0

/** Scores of tokens that a mask has not are -Infinity from here on. */
export function holdTo(scores: Float32Array, mask: Uint32Array): void {
  for (let id = 0; id < scores.length; id++) if (!within(mask, id)) scores[id] = -Infinity
}
