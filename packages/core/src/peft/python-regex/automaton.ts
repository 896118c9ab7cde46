import type { CharacterTest, Pattern, PositionTest } from './syntax.js'

/** States of an automaton: more are refused, so that matching a name stays quick. */
const mostStates = 20_000

type State =
  | { readonly kind: 'character'; readonly test: CharacterTest; readonly next: number }
  | { readonly kind: 'split'; readonly next: number[] }
  | { readonly kind: 'position'; readonly test: PositionTest; readonly next: number }
  | { readonly kind: 'look'; readonly look: Look; readonly next: number }
  | { readonly kind: 'accept' }

interface Program {
  readonly states: readonly State[]
  readonly start: number
  /** Whether it reads a text from its end. */
  readonly backward: boolean
}

/** A look-around: the positions of a text at which it holds are found in one pass, before they are asked for. */
interface Look {
  readonly program: Program
  readonly wanted: boolean
}

/**
 * Matches whole texts in time of the length of the text times the size of the pattern, whatever both are: all states are
 * followed at once (Thompson 1968, doi:10.1145/363347.363387), and a look-around is one more pass over the text, read towards
 * the position at which it is asked for.
 */
export class Automaton {
  readonly #program: Program

  /** Throws SyntaxError for a pattern whose repeats make more than 20,000 states. */
  constructor(pattern: Pattern) {
    this.#program = build(pattern, false, { left: mostStates })
  }

  matches(text: string): boolean {
    const characters = Array.from(text)
    return accepted(this.#program, characters, true, new Map())[characters.length]!
  }
}

interface Budget {
  left: number
}

function build(pattern: Pattern, backward: boolean, budget: Budget): Program {
  const states: State[] = []
  const add = (state: State): number => {
    if (--budget.left < 0)
      throw new SyntaxError(`its repeats make more than ${mostStates} states of an automaton`)
    return states.push(state) - 1
  }
  /** Adds the states of a pattern that goes on at `next`, and gives the first of them. */
  const place = (part: Pattern, next: number): number => {
    switch (part.kind) {
      case 'character':
      case 'position':
        return add({ kind: part.kind, test: part.test as never, next })
      case 'look': {
        // A look ahead ends somewhere behind the position: read from the text's end, it ends at the position.
        const program = build(part.of, part.ahead, budget)
        return add({ kind: 'look', look: { program, wanted: part.wanted }, next })
      }
      case 'sequence': {
        const parts = backward ? part.parts : part.parts.toReversed()
        return parts.reduce((after, one) => place(one, after), next)
      }
      case 'either':
        return add({ kind: 'split', next: part.options.map((option) => place(option, next)) })
      case 'repeat':
        return placeRepeat(part, next)
    }
  }
  const placeRepeat = ({ of, least, most }: Extract<Pattern, { kind: 'repeat' }>, next: number): number => {
    let entry = next
    if (most === Infinity) {
      const loop: number[] = [next]
      entry = add({ kind: 'split', next: loop })
      loop.push(place(of, entry))
    } else
      for (let extra = least; extra < most; extra++)
        entry = add({ kind: 'split', next: [next, place(of, entry)] })
    for (let copy = 0; copy < least; copy++) {
      const before = entry
      entry = place(of, entry)
      // Nothing, any number of times, is nothing.
      if (entry === before) break
    }
    return entry
  }
  const start = place(pattern, add({ kind: 'accept' }))
  return { states, start, backward }
}

/**
 * Positions 0 … n at which the automaton accepts, begun at the first position it reads or, when not `anchored`, at every one.
 */
function accepted(
  program: Program,
  text: readonly string[],
  anchored: boolean,
  looks: Map<Look, readonly boolean[]>,
): readonly boolean[] {
  const { states, start, backward } = program
  const result = new Array<boolean>(text.length + 1).fill(false)
  let reached: number[] = []
  for (let read = 0; read <= text.length; read++) {
    const at = backward ? text.length - read : read
    if (read === 0 || !anchored) reached.push(start)
    const waiting: { readonly test: CharacterTest; readonly next: number }[] = []
    const seen = new Set<number>()
    while (reached.length > 0) {
      const index = reached.pop()!
      if (seen.has(index)) continue
      seen.add(index)
      const state = states[index]!
      if (state.kind === 'accept') result[at] = true
      else if (state.kind === 'split') reached.push(...state.next)
      else if (state.kind === 'character') waiting.push(state)
      else if (state.kind === 'position' ? state.test(text, at) : holds(state.look, text, at, looks))
        reached.push(state.next)
    }
    const character = text[backward ? at - 1 : at]
    if (character !== undefined)
      reached = waiting.filter(({ test }) => test(character)).map(({ next }) => next)
  }
  return result
}

function holds(
  look: Look,
  text: readonly string[],
  at: number,
  looks: Map<Look, readonly boolean[]>,
): boolean {
  let found = looks.get(look)
  if (!found) looks.set(look, (found = accepted(look.program, text, false, looks)))
  return found[at] === look.wanted
}
