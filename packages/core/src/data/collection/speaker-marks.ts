import type { Message } from '../../contract/data.js'

export interface SpeakerMarks {
  /** Texts that a question begins with, such as "Human:". */
  readonly user: string | readonly string[]
  readonly assistant: string | readonly string[]
  /** Whether a mark counts at the beginning of a line only (default), behind an empty line only, or anywhere. */
  readonly anchored?: boolean | 'paragraph'
  /** Marks that close a turn, such as "<eoh>": they are cut where they stand at its end. */
  readonly end?: readonly string[]
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')

/** Turns of a text between the marks of speakers, trimmed, and what stands before the first mark. */
export interface SplitText {
  readonly head: string
  readonly turns: readonly Message[]
}

/** A function that splits texts at the marks of speakers. */
export function speakerSplitter({
  user,
  assistant,
  anchored = true,
  end = [],
}: SpeakerMarks): (text: string) => SplitText {
  const users = [user].flat()
  const marks = [...users, ...[assistant].flat()].toSorted((a, b) => b.length - a.length).map(escaped)
  const anchor = anchored === 'paragraph' ? String.raw`(?<=\n\n|(?<![\s\S]))` : anchored ? '^' : ''
  const pattern = new RegExp(`${anchor}(${marks.join('|')})`, 'gm')
  const trimmed = (text: string) => {
    let content = text.trim()
    for (let mark = last(content); mark !== undefined; mark = last(content))
      content = content.slice(0, -mark.length).trimEnd()
    return content
  }
  const last = (content: string) => end.find((mark) => mark !== '' && content.endsWith(mark))
  return (whole) => {
    const text = whole.trim()
    const found = [...text.matchAll(pattern)]
    return {
      head: text.slice(0, found[0]?.index ?? text.length).trim(),
      turns: found.map((match, i) => ({
        role: users.includes(match[1]!) ? 'user' : 'assistant',
        content: trimmed(text.slice(match.index + match[0].length, found[i + 1]?.index ?? text.length)),
      })),
    }
  }
}
