/** What stands behind the last "answer is", or "答案是", up to the end of its line; null where there is none. */
export function saidAnswer(text: string): string | null {
  const last = [...text.matchAll(/answer is|答案[是为]/giu)].at(-1)
  if (!last) return null
  const line = /^[\s:：]*([^\n]*)/u.exec(text.slice(last.index + last[0].length))![1]!.trim()
  return line === '' ? null : line
}
