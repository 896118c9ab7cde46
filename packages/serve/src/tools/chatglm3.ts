import { readPythonCall } from './python-call.js'
import { TurnsParser } from './turns.js'

const start = '```python\ntool_call('
const fence = '\n```'

/** ChatGLM3: a turn "name\n ```python\ntool_call(key='value')\n```", whose keywords become the JSON of the arguments. */
export const chatglm3Parser = (accepts: (name: string) => boolean): TurnsParser =>
  new TurnsParser({
    lead: '\n ',
    opening: `\n ${start}`,
    call(name, events) {
      if (!accepts(name)) return null
      let text = ''
      let given = false
      return {
        feed(piece) {
          text += piece
          // Nothing ends before a bracket does.
          if (!given && !piece.includes(')')) return null
          const call = readPythonCall(text)
          if (call === 'open') return null
          if (call === null) {
            events.content(`${name}\n ${start}`)
            return { rest: text, next: 'text' }
          }
          if (!given) {
            const index = events.call(name)
            events.arguments(index, call.json)
            given = true
          }
          const rest = text.slice(call.end)
          if (rest.startsWith(fence)) return { rest: rest.slice(fence.length), next: 'head' }
          return fence.startsWith(rest) ? null : { rest, next: 'head' }
        },
        end() {
          if (!given) events.content(`${name}\n ${start}${text}`)
        },
      }
    },
  })
