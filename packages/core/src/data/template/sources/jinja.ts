import type { TemplateCondition, TemplateProgram, TemplateStep } from './program.js'

const quoted = (text: string) =>
  `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n').replaceAll('\t', '\\t')}'`

const conditions: Readonly<Record<TemplateCondition, string>> = {
  system: 'ns.system',
  rounds: 'ns.questions > 1',
  assistant: "message.role == 'assistant'",
  tool: "message.role == 'tool'",
  last: 'loop.last',
  firstRound: 'ns.round == 0',
  answered: 'ns.answered',
  ask: 'add_generation_prompt',
}

const values = { system: 'ns.system', content: 'message.content' } as const

function write(steps: readonly TemplateStep[]): string {
  return steps
    .map((step) => {
      if (typeof step === 'string') return `{{ ${quoted(step)} }}`
      if ('token' in step) return `{{ ${step.token}_token }}`
      if ('value' in step) {
        if (step.value === 'round') return `{{ ns.round${step.from === 0 ? '' : ' + 1'} }}`
        return `{{ ${values[step.value]}${step.trim === true ? ' | trim' : ''} }}`
      }
      const { when, then, otherwise = [] } = step
      if (then.length === 0 && otherwise.length === 0) return ''
      if (then.length === 0) return `{% if not (${conditions[when]}) %}${write(otherwise)}{% endif %}`
      const rest = otherwise.length === 0 ? '' : `{% else %}${write(otherwise)}`
      return `{% if ${conditions[when]} %}${write(then)}${rest}{% endif %}`
    })
    .join('')
}

/**
 * A program as Jinja. All text stands in expressions: engines drop a line end behind a tag, and blanks before one, and differ in when.
 */
export function toJinja({ before, each, after }: TemplateProgram): string {
  const facts =
    "{% set ns = namespace(system='', questions=0, round=0, answered=false) %}" +
    '{% for message in messages %}' +
    "{% if message.role == 'system' %}" +
    "{% set ns.system = (ns.system + '\\n' if ns.system else '') + message.content %}" +
    "{% elif message.role != 'assistant' %}{% set ns.questions = ns.questions + 1 %}{% endif %}" +
    '{% endfor %}'
  const loop =
    "{% for message in messages %}{% if message.role != 'system' %}" +
    write(each) +
    "{% if message.role == 'assistant' %}{% set ns.answered = true %}" +
    '{% else %}{% set ns.answered = false %}{% set ns.round = ns.round + 1 %}{% endif %}' +
    '{% endif %}{% endfor %}'
  return facts + write(before) + loop + write(after)
}
