import type { Message, Segment } from '../../../contract/data.js'
import type { TurnWriter } from '../turns.js'
import type { TemplateCondition, TemplateProgram, TemplateStep } from './program.js'

/** Stand for what is said; blanks around them that no template writes tell whether it trims a text. */
const marks = { content: '\u2003\uE0F1\u2003', system: '\u2003\uE0F2\u2003' } as const
const mark = /(\u2003?)([\uE0F1\uE0F2])(\u2003?)/g

/** Steps of segments that were written with marks; null where a text is changed otherwise than by trimming. */
function stepsOf(segments: readonly Segment[]): TemplateStep[] | null {
  const steps: TemplateStep[] = []
  const say = (text: string) => {
    if (text === '') return
    const last = steps.at(-1)
    if (typeof last === 'string') steps[steps.length - 1] = last + text
    else steps.push(text)
  }
  for (const { text, special } of segments) {
    if (special === true) {
      if (text === 'bos' || text === 'eos') steps.push({ token: text })
      else say(text)
      continue
    }
    let at = 0
    for (const { index, 0: whole, 1: left, 2: which, 3: right } of text.matchAll(mark)) {
      if (left !== right) return null
      say(text.slice(at, index))
      at = index + whole.length
      const value = which === marks.content.trim() ? 'content' : 'system'
      steps.push(left === '' ? { value, trim: true } : { value })
    }
    say(text.slice(at))
  }
  return steps
}

const same = (a: readonly TemplateStep[], b: readonly TemplateStep[]) =>
  JSON.stringify(a) === JSON.stringify(b)

const either = (
  when: TemplateCondition,
  then: readonly TemplateStep[],
  otherwise: readonly TemplateStep[],
): readonly TemplateStep[] => (same(then, otherwise) ? then : [{ when, then, otherwise }])

/** What a writer of turns does, found out by letting it write marks. */
export function turnProgram(writer: TurnWriter): TemplateProgram | null {
  const turn = (role: Message['role'], round: number, system: string) =>
    stepsOf(writer.user({ role, content: marks.content }, round, system))
  const parts = {
    begin: stepsOf(writer.begin(marks.system)),
    bare: stepsOf(writer.begin('')),
    open: stepsOf(writer.open),
    answer: stepsOf(writer.answer(marks.content)),
    close: stepsOf(writer.close ?? []),
  }
  const user = (role: 'user' | 'tool') => {
    const [first, firstBare, later, laterBare] = [
      turn(role, 0, marks.system),
      turn(role, 0, ''),
      turn(role, 1, marks.system),
      turn(role, 1, ''),
    ]
    if (!first || !firstBare || !later || !laterBare) return null
    return either('firstRound', either('system', first, firstBare), either('system', later, laterBare))
  }
  const [asked, told] = [user('user'), user('tool')]
  const { begin, bare, open, answer, close } = parts
  if (!begin || !bare || !open || !answer || !close || !asked || !told) return null
  return {
    before: either('system', begin, bare),
    each: [
      ...(close.length === 0 ? [] : [{ when: 'answered', then: close } as const]),
      { when: 'assistant', then: [...open, ...answer], otherwise: either('tool', told, asked) },
    ],
    after: open.length === 0 ? [] : [{ when: 'ask', then: open }],
  }
}
