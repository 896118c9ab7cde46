import { Events, openEnd, type CallableFunction, type ToolEvent, type ToolParser } from './events.js'
import { JsonValueEnd } from './json-value.js'

const commands = '<|Commands|>:'
const none = 'None'
const command = /^\s*([A-Za-z_]\w*)\(/

/** Names of the parameters of a function, in the order of its schema. */
function parametersOf({ parameters }: CallableFunction): readonly string[] {
  if (typeof parameters !== 'object' || parameters === null || !('properties' in parameters)) return []
  return Object.keys(parameters.properties as object)
}

/** Values between the brackets of a command, as the JSON they are written in; null where the text ends inside or is none. */
function valuesOf(text: string): { readonly values: readonly string[]; readonly end: number } | null {
  const values: string[] = []
  let at = 0
  for (;;) {
    while (/[\s,]/.test(text[at] ?? '')) at++
    if (text[at] === ')') return { values, end: at + 1 }
    const value = new JsonValueEnd()
    const start = at
    for (; at < text.length; at++) {
      // A scalar ends at the bracket too.
      if (text[at] === ')' && !value.inString && !/^["[{]/.test(text.slice(start, start + 1))) break
      const place = value.push(text[at]!)
      if (place === 'behind') break
      if (place === 'last') {
        at++
        break
      }
    }
    const written = text.slice(start, at)
    try {
      JSON.parse(written)
    } catch {
      return null
    }
    values.push(written)
  }
}

/**
 * MOSS with plugins: thoughts, then `<|Commands|>: Calculate("1+2"), Search("x")`, or None for either. Values have no names there: they get
 * those of the function's parameters in order. An answer without commands is text.
 */
export class MossParser implements ToolParser {
  readonly #events = new Events()
  readonly #functions: ReadonlyMap<string, CallableFunction>
  #buffer = ''
  #where: 'start' | 'text' | 'commands' = 'start'

  constructor(functions: readonly CallableFunction[]) {
    this.#functions = new Map(functions.map((one) => [one.name, one]))
  }

  feed(text: string): ToolEvent[] {
    this.#buffer += text
    this.#read(false)
    return this.#events.take()
  }

  end(): ToolEvent[] {
    this.#read(true)
    if (this.#where === 'commands') this.#readCommands()
    this.#events.end()
    return this.#events.take()
  }

  #read(final: boolean): void {
    if (this.#where === 'commands') return
    if (this.#where === 'start') {
      // Thoughts may be none: the word alone in front of commands.
      this.#buffer = this.#buffer.trimStart()
      const behind = this.#buffer.startsWith(none) ? this.#buffer.slice(none.length).trimStart() : null
      const open = behind === null ? none.startsWith(this.#buffer) : commands.startsWith(behind)
      if (behind?.startsWith(commands)) this.#buffer = behind
      else if (open && !final) return
      this.#where = 'text'
    }
    const at = this.#buffer.indexOf(commands)
    const end = at >= 0 ? at : this.#buffer.length - (final ? 0 : openEnd(this.#buffer, [commands]))
    this.#events.content(this.#buffer.slice(0, end))
    this.#buffer = this.#buffer.slice(at >= 0 ? at + commands.length : end)
    if (at >= 0) this.#where = 'commands'
  }

  #readCommands(): void {
    let rest = this.#buffer.replace(/^\s*(None)?/, '')
    for (;;) {
      const found = command.exec(rest)
      const values = found && valuesOf(rest.slice(found[0].length))
      if (!values) break
      const name = found[1]!
      const known = this.#functions.get(name)
      const names = known ? parametersOf(known) : []
      const index = this.#events.call(name)
      const pairs = values.values.map((value, i) => `${JSON.stringify(names[i] ?? String(i))}: ${value}`)
      this.#events.arguments(index, `{${pairs.join(', ')}}`)
      rest = rest.slice(found[0].length + values.end).replace(/^\s*,/, '')
    }
    if (rest.trim() !== '') this.#events.content(rest)
  }
}
