import { counted } from './budget.js'
import { filterOf } from './filters/index.js'
import { itemOf, memberOf, sliceOf } from './lookup.js'
import { negative, operators } from './operators.js'
import type { Scope } from './scope.js'
import { notTestFilter, testFilter } from './source.js'
import { testOf } from './tests.js'
import type { Call, Filtered, Member, Name, Node } from './tree.js'
import {
  asObject,
  Callable,
  Float,
  int,
  itemsOf,
  keyOf,
  none,
  numberOf,
  str,
  TemplateError,
  truth,
  Tuple,
  typeName,
  Undefined,
  undefinedError,
  type Keywords,
  type Value,
} from './values.js'

export type Evaluate = (scope: Scope) => Value

interface Arguments {
  readonly args: readonly Value[]
  readonly keywords: Keywords
}

const noArguments: Arguments = { args: [], keywords: none }

/** Values of a call's arguments: those by place first, then those by name. */
export function compileArguments(nodes: readonly Node[]): (scope: Scope) => Arguments {
  if (nodes.length === 0) return () => noArguments
  const placed: ((scope: Scope, args: Value[]) => void)[] = []
  const named: ((scope: Scope, keywords: Map<string, Value>) => void)[] = []
  for (const node of nodes) {
    if (node.type === 'KeywordArgumentExpression') {
      const value = compileExpression(node.value)
      named.push((scope, keywords) => keywords.set(node.key.value, value(scope)))
    } else if (node.type === 'KeywordSpreadExpression') {
      const value = compileExpression(node.argument)
      named.push((scope, keywords) => {
        const object = asObject(value(scope))
        if (!(object instanceof Map))
          throw new TemplateError(`argument after ** must be a mapping, not ${typeName(object)}`)
        for (const [key, item] of object) keywords.set(str(key), item)
      })
    } else if (node.type === 'SpreadExpression') {
      const value = compileExpression(node.argument)
      placed.push((scope, args) => {
        for (const item of itemsOf(value(scope))) args.push(item)
      })
    } else {
      const value = compileExpression(node)
      placed.push((scope, args) => args.push(value(scope)))
    }
  }
  return (scope) => {
    const args: Value[] = []
    for (const add of placed) add(scope, args)
    if (named.length === 0) return { args, keywords: none }
    const keywords = new Map<string, Value>()
    for (const add of named) add(scope, keywords)
    return { args, keywords }
  }
}

export function call(callee: Value, { args, keywords }: Arguments): Value {
  if (callee instanceof Callable) return counted(callee.call(args, keywords))
  if (callee instanceof Undefined) throw undefinedError(callee)
  throw new TemplateError(`'${typeName(callee)}' object is not callable`)
}

function compileMember({ object, property, computed }: Member): Evaluate {
  const of = compileExpression(object)
  if (property.type === 'SliceExpression') {
    const bounds = [property.start, property.stop, property.step].map((node) =>
      node === undefined ? () => undefined : compileExpression(node),
    )
    return (scope) => sliceOf(of(scope), ...bounds.map((bound) => bound(scope)))
  }
  if (!computed && property.type === 'Identifier') {
    const name = property.value
    return (scope) => memberOf(of(scope), name)
  }
  const key = compileExpression(property)
  return (scope) => itemOf(of(scope), key(scope))
}

/** Looked up when it is used: a template may name what only other programs have, in a branch for them. */
function lazily<T extends object>(find: () => T): () => T {
  let found: T | undefined
  return () => (found ??= find())
}

/** A filter behind `|` or of a block, as a function of what it is applied to. */
export function compileFilter(filter: Name | Call): (value: Value, scope: Scope) => Value {
  const name = filter.type === 'Identifier' ? filter : filter.callee
  if (name.type !== 'Identifier') throw new TemplateError('A filter is written as a name.')
  const values = compileArguments(filter.type === 'Identifier' ? [] : filter.args)
  for (const [prefix, wanted] of [
    [testFilter, true],
    [notTestFilter, false],
  ] as const)
    if (name.value.startsWith(prefix)) {
      const test = lazily(() => testOf(name.value.slice(prefix.length)))
      return (value, scope) => test()(value, values(scope).args) === wanted
    }
  const apply = lazily(() => filterOf(name.value))
  return (value, scope) => {
    const { args, keywords } = values(scope)
    return counted(apply()(value, args, keywords))
  }
}

function compileFiltered({ operand, filter }: Filtered): Evaluate {
  const value = compileExpression(operand)
  const apply = compileFilter(filter)
  return (scope) => apply(value(scope), scope)
}

function compileBinary(operator: string, left: Evaluate, right: Evaluate): Evaluate {
  if (operator === 'and')
    return (scope) => {
      const value = left(scope)
      return truth(value) ? right(scope) : value
    }
  if (operator === 'or')
    return (scope) => {
      const value = left(scope)
      return truth(value) ? value : right(scope)
    }
  const apply = operators.get(operator)
  if (!apply) throw new TemplateError(`Unknown operator ${operator}.`)
  return (scope) => counted(apply(left(scope), right(scope)))
}

function compileUnary(operator: string, argument: Evaluate): Evaluate {
  if (operator === 'not') return (scope) => !truth(argument(scope))
  if (operator === '-') return (scope) => negative(argument(scope))
  return (scope) => {
    const value = argument(scope)
    if (numberOf(value) === null)
      throw new TemplateError(`bad operand type for unary +: '${typeName(value)}'`)
    return value
  }
}

const always =
  (value: Value): Evaluate =>
  () =>
    value

/** A function that gives the value of an expression. */
export function compileExpression(node: Node): Evaluate {
  switch (node.type) {
    case 'Identifier': {
      const name = node.value
      const missing = new Undefined(`'${name}' is undefined`)
      return (scope) => {
        const value = scope.get(name)
        return value === undefined ? missing : value
      }
    }
    case 'StringLiteral':
      return always(node.value)
    case 'IntegerLiteral':
      return always(Number.isSafeInteger(node.value) ? node.value : int(BigInt(node.value)))
    case 'FloatLiteral':
      return always(new Float(node.value))
    case 'ArrayLiteral': {
      const items = node.value.map(compileExpression)
      return (scope) => items.map((item) => item(scope))
    }
    case 'TupleLiteral': {
      const items = node.value.map(compileExpression)
      return (scope) => Tuple.with(...items.map((item) => item(scope)))
    }
    case 'ObjectLiteral': {
      const entries = [...node.value].map(
        ([key, value]) => [compileExpression(key), compileExpression(value)] as const,
      )
      return (scope) => new Map(entries.map(([key, value]) => [keyOf(key(scope)), value(scope)]))
    }
    case 'MemberExpression':
      return compileMember(node)
    case 'CallExpression': {
      const callee = compileExpression(node.callee)
      const values = compileArguments(node.args)
      return (scope) => call(callee(scope), values(scope))
    }
    case 'FilterExpression':
      return compileFiltered(node)
    case 'TestExpression': {
      const value = compileExpression(node.operand)
      const test = lazily(() => testOf(node.test.value))
      const { negate } = node
      return (scope) => test()(value(scope), []) !== negate
    }
    case 'BinaryExpression':
      return compileBinary(node.operator.value, compileExpression(node.left), compileExpression(node.right))
    case 'UnaryExpression':
      return compileUnary(node.operator.value, compileExpression(node.argument))
    case 'Ternary': {
      const [test, yes, no] = [node.condition, node.trueExpr, node.falseExpr].map(compileExpression) as [
        Evaluate,
        Evaluate,
        Evaluate,
      ]
      return (scope) => (truth(test(scope)) ? yes(scope) : no(scope))
    }
    case 'SelectExpression': {
      const [value, test] = [compileExpression(node.lhs), compileExpression(node.test)]
      const missing = new Undefined(
        'the inline if-expression evaluated to false and no else section was defined.',
      )
      return (scope) => (truth(test(scope)) ? value(scope) : missing)
    }
    default:
      throw new TemplateError(`${node.type} is no expression.`)
  }
}
