import type { Characters, Node } from './syntax.js'

// How many steps a backtracking matcher may take in vain from one place of a text, as a multiple of a power of the length of the longest run
// of characters that its loops go through. Parts in a row are not added up: the order of magnitude is what counts. Steps back to a choice, at some
// number of which the library ends the process, are bounded from above.

/** Runs that every expression must be given; what takes too long on them is refused. */
export const leastRun = 100

/** `factor * length ** degree`; an infinite factor for what grows faster than any power. */
export interface Cost {
  readonly factor: number
  readonly degree: number
  /** Characters of the loops that count. */
  readonly sets: ReadonlySet<Characters>
}

const none: ReadonlySet<Characters> = new Set()
const one: Cost = { factor: 1, degree: 0, sets: none }
const nothing: Cost = { factor: 0, degree: 0, sets: none }
const times = (x: Cost, y: Cost): Cost =>
  x.factor === 0 || y.factor === 0
    ? nothing
    : {
        factor: x.factor * y.factor,
        degree: x.degree + y.degree,
        sets: new Set([...x.sets, ...y.sets]),
      }
/** So few steps from each place are no reason to bound a run. */
export const isSmall = ({ factor, degree }: Cost) => degree === 0 && factor <= leastRun
type Join = (x: number, y: number) => number
const plus: Join = (x, y) => x + y
/** On runs of `leastRun` characters and more, the one of the lower power is no more than its factor by that length of the next. */
const joined = (same: Join, lower: Join) => (x: Cost, y: Cost) => {
  const [high, low] = x.degree < y.degree ? [y, x] : [x, y]
  return {
    factor:
      high.degree === low.degree ? same(high.factor, low.factor) : lower(high.factor, low.factor / leastRun),
    degree: high.degree,
    sets: new Set([x, y].flatMap((cost) => (isSmall(cost) ? [] : [...cost.sets]))),
  }
}
export const larger: (x: Cost, y: Cost) => Cost = joined(Math.max, Math.max)
const largest = (costs: readonly Cost[]): Cost => costs.reduce(larger, one)
/** The same power is added up: alternatives are tried one after the other. */
const inTurn = (costs: readonly Cost[]): Cost => costs.reduce(joined(plus, Math.max), nothing)
/** No less than all together. */
const sum = (costs: readonly Cost[]): Cost => costs.reduce(joined(plus, plus), nothing)
const many = (factor: number, sets: ReadonlySet<Characters> = none): Cost => ({ factor, degree: 0, sets })
const isOne = ({ factor, degree }: Cost) => factor === 1 && degree === 0

/** All characters of a part. */
function setsOf(node: Node): Characters[] {
  if (node.kind === 'one') return [node.set]
  if (node.kind === 'place') return []
  return 'of' in node ? node.of.flatMap(setsOf) : setsOf(node.body)
}

const through = (node: Node): ReadonlySet<Characters> => new Set(setsOf(node))
type Loop = Node & { readonly kind: 'repeat' }
/** A few characters that always follow each other. */
const isShort = ({ body, least, most }: Loop) =>
  most <= 1 || (body.kind === 'one' && least === most && most <= leastRun)
/** Turns of a loop. */
const turnsOf = (loop: Loop): Cost =>
  loop.most === Infinity
    ? { factor: 1, degree: 1, sets: through(loop) }
    : many(Math.max(1, loop.most), isShort(loop) ? none : through(loop))

/** In how many ways a part can match from one place on. */
function ways(node: Node): Cost {
  switch (node.kind) {
    case 'one':
    case 'place':
    case 'look':
      return one
    case 'either': {
      const each = node.of.map(ways)
      const { degree } = largest(each)
      return { factor: each.reduce((all, { factor }) => all + factor, 0), degree, sets: through(node) }
    }
    case 'all':
      return node.of.map(ways).reduce(times, one)
    case 'repeat': {
      const body = ways(node.body)
      const counts = node.most - node.least + 1
      if (isOne(body))
        return node.most === Infinity ? turnsOf(node) : many(counts, counts > 1 ? through(node) : none)
      // A loop within a loop, or one that can go through the same characters in two ways.
      if (node.most === Infinity) return many(Infinity, through(node))
      return {
        factor: counts * body.factor ** node.most,
        degree: body.degree * node.most,
        sets: through(node),
      }
    }
  }
}

/** Turns of a loop that begin, in all its ways. Where a turn has one, the ways differ in how many there are, and none is taken twice. */
function allTurns(node: Loop): Cost {
  const { factor, degree } = ways(node.body)
  if (factor === 1 && degree === 0) return turnsOf(node)
  if (node.most === Infinity || factor === Infinity) return many(Infinity, through(node))
  const behind = Math.max(0, node.most - 1)
  return {
    factor: factor === 1 ? behind + 1 : (factor ** (behind + 1) - 1) / (factor - 1),
    degree: degree * behind,
    sets: behind > 0 ? through(node) : none,
  }
}

/** Steps to try all ways of a part. */
function allSteps(node: Node): Cost {
  switch (node.kind) {
    case 'one':
    case 'place':
      return one
    case 'look':
      return allSteps(node.body)
    case 'either':
      return inTurn(node.of.map(allSteps))
    case 'all': {
      let before = one
      const steps: Cost[] = []
      for (const part of node.of) {
        steps.push(times(before, allSteps(part)))
        before = times(before, ways(part))
      }
      return largest(steps)
    }
    case 'repeat': {
      return times(allTurns(node), allSteps(node.body))
    }
  }
}

function canFail(node: Node): boolean {
  if (node.kind === 'either') return node.of.every(canFail)
  if (node.kind === 'all') return node.of.some(canFail)
  return node.kind !== 'repeat' || (node.least > 0 && canFail(node.body))
}

/**
 * Steps from one place that lead to no match, or are taken behind its end: what may be taken again from the next place. A part that nothing
 * behind it can undo goes on with its first way.
 */
export function wasted(node: Node): Cost {
  switch (node.kind) {
    case 'one':
    case 'place':
      return one
    case 'look':
      return allSteps(node.body)
    case 'either':
      return inTurn(node.of.map(wasted))
    case 'all': {
      const last = node.of.findLastIndex(canFail)
      const before = node.of.slice(0, Math.max(0, last))
      const tried = before.map(ways).reduce(times, one)
      return largest([
        allSteps({ kind: 'all', of: before }),
        ...node.of
          .slice(before.length)
          .map((part, i) => (i === 0 ? times(tried, wasted(part)) : wasted(part))),
      ])
    }
    case 'repeat': {
      if (node.body.kind === 'one') return turnsOf({ ...node, most: node.least })
      if (node.least > 1) return allSteps(node)
      // A turn that fails ends the loop, and no turn before it is undone: the next place is behind them.
      const turn = wasted(node.body)
      return node.most <= 1 || turn.degree === 0
        ? turn
        : times(turn, { factor: 1, degree: 1, sets: through(node) })
    }
  }
}

/**
 * Steps back to a choice, from one place on, in trying all ways of a part (`undone`) or until its first match. Each takes back one choice
 * that was made, so that there are no more than choices. Those of a match count as well, whatever it goes through.
 */
export function retries(node: Node, undone = false): Cost {
  switch (node.kind) {
    case 'one':
    case 'place':
      return nothing
    case 'look':
      return sum([one, retries(node.body, true)])
    case 'either':
      return sum([many(node.of.length - 1), ...node.of.map((part) => retries(part, undone))])
    case 'all': {
      const last = undone ? node.of.length : node.of.findLastIndex(canFail)
      let before = one
      return sum(
        node.of.map((part, i) => {
          if (i > last) return retries(part)
          const steps = times(before, retries(part, i < last))
          before = times(before, ways(part))
          return steps
        }),
      )
    }
    case 'repeat': {
      const isUndone = undone || node.least > 1
      const turn = retries(node.body, isUndone)
      // A choice at each turn, whether it is the last one.
      const choice = node.most === node.least ? nothing : one
      return isUndone ? times(allTurns(node), sum([choice, turn])) : sum([choice, times(turnsOf(node), turn)])
    }
  }
}
