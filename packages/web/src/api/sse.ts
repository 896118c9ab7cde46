/** An event of a stream (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export interface ServerEvent {
  /** `message` where none is named. */
  readonly name: string
  readonly data: string
  readonly id: string | null
}

/**
 * Reads server-sent events out of bytes that may be cut anywhere: inside of a character, between the two characters of a line end, inside of
 * a line. An event that the stream ends in the middle of is none.
 */
export class EventReader {
  readonly #decoder = new TextDecoder()
  #rest = ''
  /** The piece before ended with a carriage return, to which a line feed may belong. */
  #hadReturn = false
  #name = ''
  #data: string[] = []
  #id: string | null = null

  feed(bytes: Uint8Array): ServerEvent[] {
    let text = this.#decoder.decode(bytes, { stream: true })
    if (text === '') return []
    if (this.#hadReturn && text.startsWith('\n')) text = text.slice(1)
    this.#hadReturn = text.endsWith('\r')
    const lines = (this.#rest + text).split(/\r\n|\r|\n/)
    this.#rest = lines.pop()!
    return lines.flatMap((line) => this.#line(line) ?? [])
  }

  #line(line: string): ServerEvent | null {
    if (line === '') return this.#end()
    const [, field = '', value = ''] = /^([^:]*)(?::\x20?(.*))?$/s.exec(line) ?? []
    if (field === 'data') this.#data.push(value)
    else if (field === 'event') this.#name = value
    else if (field === 'id' && !value.includes('\0')) this.#id = value
    return null
  }

  #end(): ServerEvent | null {
    const event = { name: this.#name || 'message', data: this.#data.join('\n'), id: this.#id }
    const isEmpty = this.#data.length === 0
    this.#name = ''
    this.#data = []
    return isEmpty ? null : event
  }
}
