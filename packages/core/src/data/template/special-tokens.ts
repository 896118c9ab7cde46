import type { Tokenizer } from '../../contract/tokenizer.js'
import type { Segment } from '../../contract/data.js'

const escapeRegExp = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Finds the special tokens that a template wrote among the text. */
export interface SpecialTokens {
  /** Matches one of them anywhere; a new one each time, because matching has state. */
  readonly pattern: () => RegExp
  /** Puts a character into everything that looks like one. */
  guarded(text: string, guard: string): string
  /** Cuts a text at them, and removes the guard. */
  split(text: string, guard: string, flags: Pick<Segment, 'role' | 'trained' | 'excluded'>): Segment[]
}

export function specialTokens({ specials }: Pick<Tokenizer, 'specials'>): SpecialTokens {
  const names = [...specials.keys()].filter((name) => name.length > 1).sort((a, b) => b.length - a.length)
  const source = names.length > 0 ? names.map(escapeRegExp).join('|') : '(?!)'
  const pattern = () => new RegExp(source, 'g')
  const next = pattern()
  return {
    pattern,
    guarded: (text, guard) =>
      guard === '' ? text : text.replace(pattern(), (name) => name[0]! + guard + name.slice(1)),
    split(text, guard, flags) {
      const segments: Segment[] = []
      let at = 0
      const push = (piece: string) => {
        if (piece !== '')
          segments.push({ ...flags, text: guard === '' ? piece : piece.replaceAll(guard, '') })
      }
      next.lastIndex = 0
      for (let match = next.exec(text); match; match = next.exec(text)) {
        push(text.slice(at, match.index))
        segments.push({ ...flags, text: match[0], special: true })
        at = match.index + match[0].length
      }
      push(text.slice(at))
      return segments
    },
  }
}
