import type { BoundaryTokens } from '../../../contract/template.js'
import type { TemplateCondition, TemplateProgram, TemplateStep } from './program.js'

const conditions: Readonly<Record<TemplateCondition, string>> = {
  system: '$system',
  rounds: 'gt $questions 1',
  assistant: 'eq $message.Role "assistant"',
  tool: 'eq $message.Role "tool"',
  last: 'eq (len (slice $.Messages $i)) 1',
  firstRound: 'eq $round 0',
  answered: '$answered',
  ask: 'ne $role "assistant"',
}

const values = { system: '$system', content: '$message.Content' } as const

/** Text that needs no quotes: nothing in it is an action, and no reader could trim it. */
const isPlain = (text: string) => !/^\s|\s$|\{\{|\}\}|"""/.test(text)
const literal = (text: string) => (text === '' ? '' : isPlain(text) ? text : `{{ ${JSON.stringify(text)} }}`)

function write(steps: readonly TemplateStep[], tokens: BoundaryTokens): string {
  return steps
    .map((step) => {
      if (typeof step === 'string') return literal(step)
      if ('token' in step) return literal(tokens[step.token] ?? '')
      if ('value' in step)
        return step.value === 'round'
          ? `{{ ${step.from === 0 ? '$round' : '$number'} }}`
          : `{{ ${values[step.value]} }}`
      const { when, then, otherwise = [] } = step
      const [yes, no] = [write(then, tokens), write(otherwise, tokens)]
      if (yes === '' && no === '') return ''
      if (yes === '') return `{{ if not (${conditions[when]}) }}${no}{{ end }}`
      return `{{ if ${conditions[when]} }}${yes}${no === '' ? '' : `{{ else }}${no}`}{{ end }}`
    })
    .join('')
}

/** Go has no arithmetic: the number of a round from 1 on is the length of a text that grows with each. */
const numbers = (program: TemplateProgram) => JSON.stringify(program).includes('"from":1')
const counts = (program: TemplateProgram) => /"from"|"firstRound"/.test(JSON.stringify(program))

/** A program as Go's text/template over Ollama's `.Messages`. */
export function toGo(program: TemplateProgram, tokens: BoundaryTokens): string {
  const { before, each, after } = program
  const facts =
    '{{ $system := "" }}{{ $role := "" }}{{ $asked := "" }}{{ range .Messages }}{{ $role = .Role }}' +
    '{{ if eq .Role "system" }}{{ if $system }}{{ $system = printf "%s\\n%s" $system .Content }}' +
    '{{ else }}{{ $system = .Content }}{{ end }}' +
    '{{ else if ne .Role "assistant" }}{{ $asked = printf "%s." $asked }}{{ end }}{{ end }}' +
    '{{ $questions := len $asked }}{{ $answered := false }}'
  const round = counts(program) ? '{{ $count := "" }}{{ $round := 0 }}' : ''
  const number = numbers(program) ? '{{ $number := len (printf "%s." $count) }}' : ''
  const next = counts(program) ? '{{ $count = printf "%s." $count }}{{ $round = len $count }}' : ''
  const loop =
    '{{ range $i, $message := .Messages }}{{ if ne $message.Role "system" }}' +
    number +
    write(each, tokens) +
    `{{ if eq $message.Role "assistant" }}{{ $answered = true }}{{ else }}{{ $answered = false }}${next}{{ end }}` +
    '{{ end }}{{ end }}'
  return facts + round + write(before, tokens) + loop + write(after, tokens)
}
