import { JsonValueEnd } from './json-value.js'
import { TurnsParser } from './turns.js'

/** GLM-4: a turn `name\n{…}` with the arguments in JSON; a turn of text begins with the line break. */
export const glm4Parser = (accepts: (name: string) => boolean): TurnsParser =>
  new TurnsParser({
    lead: '\n',
    opening: '\n{',
    call(name, events) {
      if (!accepts(name)) return null
      const index = events.call(name)
      const value = new JsonValueEnd()
      value.push('{')
      events.arguments(index, '{')
      return {
        feed(text) {
          let at = 0
          while (at < text.length && value.push(text[at]!) !== 'last') at++
          events.arguments(index, text.slice(0, at + 1))
          return at < text.length ? { rest: text.slice(at + 1), next: 'head' } : null
        },
        end: () => undefined,
      }
    },
  })
