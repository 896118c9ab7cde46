import { checkText, inMacro, limits, spend } from './budget.js'
import { call, compileArguments, compileExpression, compileFilter, type Evaluate } from './expressions.js'
import { Loop } from './loop.js'
import { markGenerated } from './marks.js'
import { Scope } from './scope.js'
import { generationFilter } from './source.js'
import type {
  CallBlock,
  FilterBlock,
  For,
  If,
  Keyword,
  Macro,
  Name,
  Node,
  Set as Assignment,
} from './tree.js'
import {
  Callable,
  itemsOf,
  Namespace,
  str,
  TemplateError,
  truth,
  Tuple,
  typeName,
  Undefined,
  type Keywords,
  type Value,
} from './values.js'

/** Output of a template so far. */
export class Output {
  text = ''

  write(text: string): void {
    this.text += text
    checkText(text.length)
    if (this.text.length > limits.characters) checkText(this.text.length)
  }
}

/** How a block ended: at its end, or with `break` or `continue` for the loop around it. */
type End = 'end' | 'break' | 'continue'
type Run = (scope: Scope, out: Output) => End

export function compileBlock(nodes: readonly Node[]): Run {
  const runs = nodes.filter(({ type }) => type !== 'Comment').map(compileStatement)
  if (runs.length === 1) return runs[0]!
  return (scope, out) => {
    for (const run of runs) {
      const end = run(scope, out)
      if (end !== 'end') return end
    }
    return 'end'
  }
}

/** What it takes to go through a block once: everything in it, whichever branches are taken. */
export function nodesIn(node: unknown): number {
  if (typeof node !== 'object' || node === null) return 0
  const inside = Array.isArray(node) ? node : node instanceof Map ? [...node].flat() : Object.values(node)
  return inside.reduce<number>((sum, item) => sum + nodesIn(item), 1)
}

/** The text of a block with names of its own. */
function compileText(nodes: readonly Node[]): (scope: Scope) => string {
  const run = compileBlock(nodes)
  return (scope) => {
    const out = new Output()
    run(scope, out)
    return out.text
  }
}

/** Gives names to a value, or to the parts of it. */
function compileTarget(target: Node): (scope: Scope, value: Value) => void {
  if (target.type === 'Identifier') return (scope, value) => scope.set(target.value, value)
  if (target.type === 'TupleLiteral') {
    const targets = target.value.map(compileTarget)
    return (scope, value) => {
      const items = itemsOf(value)
      if (items.length !== targets.length)
        throw new TemplateError(
          items.length > targets.length
            ? `too many values to unpack (expected ${targets.length})`
            : `not enough values to unpack (expected ${targets.length}, got ${items.length})`,
        )
      for (const [i, set] of targets.entries()) set(scope, items[i]!)
    }
  }
  if (target.type === 'MemberExpression' && target.property.type === 'Identifier') {
    const object = compileExpression(target.object)
    const name = target.property.value
    return (scope, value) => {
      const space = object(scope)
      if (!(space instanceof Namespace))
        throw new TemplateError('cannot assign attribute on non-namespace object')
      space.fields.set(name, value)
    }
  }
  throw new TemplateError(`cannot assign to ${target.type}`)
}

function compileSet({ assignee, value, body }: Assignment): Run {
  if (value) {
    const [set, expression] = [compileTarget(assignee), compileExpression(value)]
    return (scope) => {
      set(scope, expression(scope))
      return 'end'
    }
  }
  // {% set name | filter %} … {% endset %}
  const filters: ReturnType<typeof compileFilter>[] = []
  let target = assignee
  while (target.type === 'FilterExpression') {
    filters.unshift(compileFilter(target.filter))
    target = target.operand
  }
  const [set, text] = [compileTarget(target), compileText(body)]
  return (scope) => {
    set(
      scope,
      filters.reduce<Value>((made, filter) => filter(made, scope), text(new Scope(scope))),
    )
    return 'end'
  }
}

function compileIf({ test, body, alternate }: If): Run {
  const [holds, then, otherwise] = [compileExpression(test), compileBlock(body), compileBlock(alternate)]
  return (scope, out) => (truth(holds(scope)) ? then(scope, out) : otherwise(scope, out))
}

function compileFor({ loopvar, iterable, body, defaultBlock }: For): Run {
  const [source, condition] =
    iterable.type === 'SelectExpression'
      ? [compileExpression(iterable.lhs), compileExpression(iterable.test)]
      : [compileExpression(iterable), null]
  const [set, run, otherwise] = [compileTarget(loopvar), compileBlock(body), compileBlock(defaultBlock)]
  // A round has names of its own, which cost as much as some nodes.
  const [cost, conditionCost] = [nodesIn(body) + 8, condition ? nodesIn(iterable) + 8 : 0]
  return (scope, out) => {
    const all = itemsOf(source(scope))
    const items = condition
      ? all.filter((item) => {
          spend(conditionCost)
          const inner = new Scope(scope)
          set(inner, item)
          return truth(condition(inner))
        })
      : all
    const loop = new Loop(items)
    for (const [i, item] of items.entries()) {
      spend(cost)
      loop.index0 = i
      // Variables set in one round are not visible in the next one.
      const inner = new Scope(scope)
      inner.set('loop', loop)
      set(inner, item)
      if (run(inner, out) === 'break') break
    }
    return items.length === 0 ? otherwise(new Scope(scope), out) : 'end'
  }
}

const specialNames = ['varargs', 'kwargs', 'caller']

/** Whether a block reads a name, so that a macro takes arguments beyond its own. */
function reads(node: unknown, name: string): boolean {
  if (Array.isArray(node)) return node.some((item) => reads(item, name))
  if (node instanceof Map) return [...node].some((pair) => reads(pair, name))
  if (typeof node !== 'object' || node === null) return false
  const { type, value } = node as { type?: unknown; value?: unknown }
  if (type === 'Identifier') return value === name
  return Object.values(node).some((item) => reads(item, name))
}

/** A macro, or the block of a call, which is one without a name. */
function compileMacro(
  name: string,
  parameters: readonly (Name | Keyword)[],
  body: readonly Node[],
): (scope: Scope) => Callable {
  const names = parameters.map((parameter) =>
    parameter.type === 'Identifier' ? parameter.value : parameter.key.value,
  )
  const defaults = parameters.map((parameter) =>
    parameter.type === 'Identifier' ? null : compileExpression(parameter.value),
  )
  const text = compileText(body)
  const cost = nodesIn(body)
  const [takesMore, takesKeywords] = [reads(body, 'varargs'), reads(body, 'kwargs')]
  return (outer) =>
    new Callable(name, (args, keywords) => {
      const scope = new Scope(outer)
      const left = new Map<string, Value>(keywords)
      for (const [i, parameter] of names.entries()) {
        const value = i < args.length ? args[i] : left.get(parameter)
        left.delete(parameter)
        const other = defaults[i]
        scope.set(
          parameter,
          value === undefined
            ? other
              ? other(scope)
              : new Undefined(`parameter '${parameter}' was not provided`)
            : value,
        )
      }
      const caller = left.get('caller')
      left.delete('caller')
      if (caller !== undefined) scope.set('caller', caller)
      if (takesKeywords) scope.set('kwargs', new Map<Value, Value>(left))
      else if (left.size > 0)
        throw new TemplateError(`macro '${name}' takes no keyword argument '${[...left.keys()][0]!}'`)
      if (takesMore) scope.set('varargs', Tuple.with(...args.slice(names.length)))
      else if (args.length > names.length)
        throw new TemplateError(`macro '${name}' takes not more than ${names.length} argument(s)`)
      spend(cost)
      return inMacro(() => text(scope))
    })
}

function compileMacroStatement({ name, args, body }: Macro): Run {
  if (specialNames.includes(name.value)) throw new TemplateError(`a macro cannot be called ${name.value}`)
  const make = compileMacro(name.value, args, body)
  return (scope) => {
    scope.set(name.value, make(scope))
    return 'end'
  }
}

function compileCallBlock({ call: node, callerArgs, body }: CallBlock): Run {
  const callee: Evaluate = compileExpression(node.callee)
  const values = compileArguments(node.args)
  const caller = compileMacro('caller', callerArgs ?? [], body)
  return (scope, out) => {
    const { args, keywords } = values(scope)
    const given: Keywords = new Map([...keywords, ['caller', caller(scope)]])
    out.write(str(call(callee(scope), { args, keywords: given })))
    return 'end'
  }
}

function compileFilterBlock({ filter, body }: FilterBlock): Run {
  const text = compileText(body)
  if (filter.type === 'Identifier' && filter.value === generationFilter)
    return (scope, out) => {
      out.write(markGenerated(text(new Scope(scope))))
      return 'end'
    }
  const apply = compileFilter(filter)
  return (scope, out) => {
    out.write(str(apply(text(new Scope(scope)), scope)))
    return 'end'
  }
}

function compileStatement(node: Node): Run {
  switch (node.type) {
    case 'StringLiteral': {
      const { value } = node
      return (_, out) => {
        out.write(value)
        return 'end'
      }
    }
    case 'Set':
      return compileSet(node)
    case 'If':
      return compileIf(node)
    case 'For':
      return compileFor(node)
    case 'Macro':
      return compileMacroStatement(node)
    case 'CallStatement':
      return compileCallBlock(node)
    case 'FilterStatement':
      return compileFilterBlock(node)
    case 'Break':
      return () => 'break'
    case 'Continue':
      return () => 'continue'
    default: {
      const value = compileExpression(node)
      return (scope, out) => {
        const made = value(scope)
        if (made instanceof Callable || typeName(made) === 'Namespace')
          throw new TemplateError(`a ${typeName(made)} cannot be written into a text`)
        out.write(str(made))
        return 'end'
      }
    }
  }
}
