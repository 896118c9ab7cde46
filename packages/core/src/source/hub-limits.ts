/** What a hub, or a proxy in front of one, may answer. Beyond it the answer is no list of files that anybody keeps. */
export const hubLimits = {
  /** Redirects of one request. */
  redirects: 10,
  /** Bytes of one answer in JSON, unpacked: a page of the hub's lists has some hundred thousand. */
  jsonBytes: 32 * 2 ** 20,
  /** Brackets within each other in it; lists of files have three, and a parser keeps each open one. */
  jsonDepth: 64,
  /** Pages of a list. */
  pages: 1000,
  /** Bytes of all pages of a list, as many as of a million files. */
  listBytes: 256 * 2 ** 20,
  /** A connection that brings less than this for `slowWindows` times the time of silence is as good as none. */
  bytesPerSecond: 256,
  slowWindows: 4,
  /** What an attempt has to bring, or the end of the file, so that it does not count as failed. */
  progressBytes: 1 << 16,
} as const

/** Whether brackets of a JSON text stand deeper within each other than `most`. */
export function nestedDeeper(text: string, most: number): boolean {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (char === '"') {
      for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === '\\') i++
    } else if (char === '[' || char === '{') {
      if (++depth > most) return true
    } else if (char === ']' || char === '}') depth--
  }
  return false
}
