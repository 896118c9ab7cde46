/**
 * Whether a text is as a pattern of `*` (any number of signs) and `?` (one sign) says, whatever the case. Its time grows with the product
 * of the lengths at most.
 */
export function globMatches(pattern: string, text: string): boolean {
  const wanted = pattern.toLowerCase()
  const given = text.toLowerCase()
  let [p, t] = [0, 0]
  // Where to go on when the last `*` has to take one sign more.
  let [star, after] = [-1, 0]
  while (t < given.length) {
    if (wanted[p] === '*') [star, after] = [p++, t]
    else if (p < wanted.length && (wanted[p] === '?' || wanted[p] === given[t])) [p, t] = [p + 1, t + 1]
    else if (star >= 0) [p, t] = [star + 1, ++after]
    else return false
  }
  while (wanted[p] === '*') p++
  return p === wanted.length
}

export const isGlob = (text: string): boolean => /[*?]/.test(text)
