import { Automaton } from './automaton.js'
import { parsePattern } from './syntax.js'

/**
 * `re.fullmatch` of Python: whether a whole text matches. Written here because patterns of adapters are Python's, may come
 * from anybody, and use look-arounds: JavaScript's engine reads another syntax and can take for ever, and the engines without
 * backtracking (RE2, Rust's regex) have no look-arounds. Throws SyntaxError (`parsePattern`, `Automaton`).
 */
export function fullMatcher(pattern: string): (text: string) => boolean {
  const automaton = new Automaton(parsePattern(pattern))
  return (text) => automaton.matches(text)
}
