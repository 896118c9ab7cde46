import type { Characters, Node } from './syntax.js'

// How many steps a backtracking matcher may take in vain from one place of a text, as a multiple of a power of the length of the longest run
// of characters that its loops go through. Alternatives are not added up: the order of magnitude is what counts.

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
const times = (x: Cost, y: Cost): Cost => ({
  factor: x.factor * y.factor,
  degree: x.degree + y.degree,
  sets: new Set([...x.sets, ...y.sets]),
})
/** On runs of `leastRun` characters and more, the one of the lower power is no more than its factor by that length of the next. */
const larger = (x: Cost, y: Cost): Cost => {
  const [high, low] = x.degree < y.degree ? [y, x] : [x, y]
  return {
    factor: Math.max(high.factor, high.degree === low.degree ? low.factor : low.factor / leastRun),
    degree: high.degree,
    sets: new Set([...x.sets, ...y.sets]),
  }
}
const largest = (costs: readonly Cost[]): Cost => costs.reduce(larger, one)
const many = (factor: number): Cost => ({ factor, degree: 0, sets: none })
const isOne = ({ factor, degree }: Cost) => factor === 1 && degree === 0

/** All characters of a part. */
function setsOf(node: Node): Characters[] {
  if (node.kind === 'one') return [node.set]
  if (node.kind === 'place') return []
  return 'of' in node ? node.of.flatMap(setsOf) : setsOf(node.body)
}

/** In how many ways a part can match from one place on. */
function ways(node: Node): Cost {
  switch (node.kind) {
    case 'one':
    case 'place':
    case 'look':
      return one
    case 'either': {
      const each = node.of.map(ways)
      return { ...largest(each), factor: each.reduce((sum, { factor }) => sum + factor, 0) }
    }
    case 'all':
      return node.of.map(ways).reduce(times, one)
    case 'repeat': {
      const body = ways(node.body)
      const counts = node.most - node.least + 1
      if (isOne(body))
        return node.most === Infinity
          ? { factor: 1, degree: 1, sets: new Set(setsOf(node.body)) }
          : many(counts)
      // A loop within a loop, or one that can go through the same characters in two ways.
      if (node.most === Infinity) return many(Infinity)
      return { factor: counts * body.factor ** node.most, degree: body.degree * node.most, sets: body.sets }
    }
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
      return largest(node.of.map(allSteps))
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
      const turns = ways(node)
      return times(isOne(turns) ? many(Math.max(1, node.least)) : turns, allSteps(node.body))
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
      return largest(node.of.map(wasted))
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
      if (node.body.kind === 'one') return many(Math.max(1, node.least))
      if (node.least > 1) return allSteps(node)
      // A turn that fails ends the loop, and no turn before it is undone.
      const turn = wasted(node.body)
      return node.most <= 1 || turn.degree === 0
        ? turn
        : times(turn, { factor: 1, degree: 1, sets: new Set(setsOf(node.body)) })
    }
  }
}
