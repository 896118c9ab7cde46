/** Levels of lists and objects of a JSON value: 0 for a text or a number. */
export const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0
