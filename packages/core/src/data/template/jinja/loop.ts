import { Attributes, Callable, equal, TemplateError, Undefined, type Value } from './values.js'

/** `loop` inside a for block. */
export class Loop extends Attributes {
  index0 = 0
  #last: readonly Value[] | null = null

  constructor(readonly items: readonly Value[]) {
    super()
  }

  override get(name: string): Value | undefined {
    const { index0, items } = this
    const { length } = items
    switch (name) {
      case 'index0':
        return index0
      case 'index':
        return index0 + 1
      case 'first':
        return index0 === 0
      case 'last':
        return index0 === length - 1
      case 'length':
        return length
      case 'revindex':
        return length - index0
      case 'revindex0':
        return length - index0 - 1
      case 'previtem':
        return index0 > 0 ? items[index0 - 1] : new Undefined('there is no previous item')
      case 'nextitem':
        return index0 + 1 < length ? items[index0 + 1] : new Undefined('there is no next item')
      case 'depth':
        return 1
      case 'depth0':
        return 0
      case 'cycle':
        return new Callable('cycle', (args) => {
          if (args.length === 0) throw new TemplateError('no items for cycling given')
          return args[index0 % args.length]!
        })
      case 'changed':
        return new Callable('changed', (args) => {
          const before = this.#last
          this.#last = args
          return !before || before.length !== args.length || !args.every((arg, i) => equal(arg, before[i]!))
        })
      default:
        return undefined
    }
  }
}
