// The nodes that the library's parser makes, as far as they are evaluated here; it does not export their types.

export interface Name {
  readonly type: 'Identifier'
  readonly value: string
}
interface Literal {
  readonly type: 'IntegerLiteral' | 'FloatLiteral'
  readonly value: number
}
interface Text {
  readonly type: 'StringLiteral'
  readonly value: string
}
interface Sequence {
  readonly type: 'ArrayLiteral' | 'TupleLiteral'
  readonly value: readonly Node[]
}
interface Mapping {
  readonly type: 'ObjectLiteral'
  readonly value: ReadonlyMap<Node, Node>
}
export interface Member {
  readonly type: 'MemberExpression'
  readonly object: Node
  readonly property: Node
  readonly computed: boolean
}
export interface Slice {
  readonly type: 'SliceExpression'
  readonly start?: Node
  readonly stop?: Node
  readonly step?: Node
}
export interface Call {
  readonly type: 'CallExpression'
  readonly callee: Node
  readonly args: readonly Node[]
}
interface Binary {
  readonly type: 'BinaryExpression'
  readonly operator: { readonly value: string }
  readonly left: Node
  readonly right: Node
}
interface Unary {
  readonly type: 'UnaryExpression'
  readonly operator: { readonly value: string }
  readonly argument: Node
}
export interface Filtered {
  readonly type: 'FilterExpression'
  readonly operand: Node
  readonly filter: Name | Call
}
interface Tested {
  readonly type: 'TestExpression'
  readonly operand: Node
  readonly negate: boolean
  readonly test: Name
}
/** `a if b` without else. */
export interface Select {
  readonly type: 'SelectExpression'
  readonly lhs: Node
  readonly test: Node
}
interface Ternary {
  readonly type: 'Ternary'
  readonly condition: Node
  readonly trueExpr: Node
  readonly falseExpr: Node
}
interface Spread {
  readonly type: 'SpreadExpression' | 'KeywordSpreadExpression'
  readonly argument: Node
}
export interface Keyword {
  readonly type: 'KeywordArgumentExpression'
  readonly key: Name
  readonly value: Node
}

export interface Block {
  readonly type: 'Program'
  readonly body: readonly Node[]
}
export interface If {
  readonly type: 'If'
  readonly test: Node
  readonly body: readonly Node[]
  readonly alternate: readonly Node[]
}
export interface For {
  readonly type: 'For'
  readonly loopvar: Node
  readonly iterable: Node
  readonly body: readonly Node[]
  readonly defaultBlock: readonly Node[]
}
export interface Set {
  readonly type: 'Set'
  readonly assignee: Node
  readonly value: Node | null
  readonly body: readonly Node[]
}
export interface Macro {
  readonly type: 'Macro'
  readonly name: Name
  readonly args: readonly (Name | Keyword)[]
  readonly body: readonly Node[]
}
export interface CallBlock {
  readonly type: 'CallStatement'
  readonly call: Call
  readonly callerArgs: readonly (Name | Keyword)[] | null
  readonly body: readonly Node[]
}
export interface FilterBlock {
  readonly type: 'FilterStatement'
  readonly filter: Name | Call
  readonly body: readonly Node[]
}
interface Simple {
  readonly type: 'Break' | 'Continue' | 'Comment'
}

export type Node =
  | Name
  | Literal
  | Text
  | Sequence
  | Mapping
  | Member
  | Slice
  | Call
  | Binary
  | Unary
  | Filtered
  | Tested
  | Select
  | Ternary
  | Spread
  | Keyword
  | If
  | For
  | Set
  | Macro
  | CallBlock
  | FilterBlock
  | Simple
