import { IftError } from '@ift/tensor'
import { promptMessages, toMessages } from '../conversation.js'
import type { PromptTemplate, TrainOn } from '../../contract/template.js'
import type { Tokenizer } from '../../contract/tokenizer.js'
import {
  isInstruction,
  type InstructionExample,
  type Message,
  type MessagesExample,
  type Segment,
} from '../../contract/data.js'
import {
  commonLength,
  findAnswers,
  generatedSpans,
  spansOf,
  turnShape,
  type Answer,
  type AnswerContext,
  type Rendering,
  type TurnShape,
} from './answers.js'
import { canMark, conversationTexts, guardedJson, guardFor, messageValues } from './chat-messages.js'
import {
  Callable,
  compileTemplate,
  marksGeneration,
  takeMarks,
  TemplateLimit,
  type JinjaTemplate,
  type Value,
} from './jinja/index.js'
import { specialTokens } from './special-tokens.js'
import { learn } from './turns.js'

type ChatTokenizer = Pick<Tokenizer, 'chatTemplate' | 'specials' | 'bosId' | 'eosId' | 'token' | 'named'>

/** 26 July 2024, the date that Llama 3's template falls back to. */
const fixedDate = (format: string): string =>
  format.replace(
    /%([dmYBbyHMS])/g,
    (_, code: string) =>
      ({ d: '26', m: '07', Y: '2024', y: '24', B: 'July', b: 'Jul', H: '00', M: '00', S: '00' })[code]!,
  )

/**
 * Other forms of a conversation, for a template that refuses the original: OpenAI writes null for the content of a
 * call and a text for its arguments, and some templates accept neither.
 */
const otherForms = [
  { texts: true, objects: false },
  { texts: false, objects: true },
  { texts: true, objects: true },
]

const isVaried = ({ fields, toolCalls }: Message): boolean =>
  fields?.['content'] === null || toolCalls !== undefined

/** Variables of a template besides the conversation: special tokens by name, and a date. */
function surroundings(tokenizer: ChatTokenizer, source: string): (readonly [string, Value])[] {
  const { specials, named = new Map<string, string>() } = tokenizer
  const texts = new Map([...specials].map(([text, id]) => [id, text]))
  const context: (readonly [string, Value])[] = [...named].map(([name, text]) => [
    name,
    typeof text === 'string' ? text : [...text],
  ])
  for (const [name, id] of [
    ['bos_token', tokenizer.bosId],
    ['eos_token', tokenizer.eosId],
  ] as const) {
    const text = id === null ? undefined : (texts.get(id) ?? tokenizer.token(id))
    if (text !== undefined) context.push([name, text])
  }
  // A template that asks whether there is a clock has a date of its own for the case that there is none.
  if (!source.includes('strftime_now is defined'))
    context.push([
      'strftime_now',
      new Callable('strftime_now', ([format]) => fixedDate(typeof format === 'string' ? format : '')),
    ])
  return context
}

/** What a template reads besides the messages. */
type Beside = Pick<MessagesExample, 'tools' | 'variables'>

const besideOf = (example: InstructionExample | MessagesExample): Beside =>
  isInstruction(example) ? {} : example

/**
 * The checkpoint's own Jinja `chat_template`. A conversation is rendered as a whole, once, and every answer is found
 * in this text, because the rendering of earlier turns may depend on later ones. Where a template marks generated
 * text itself (`{% generation %}`), exactly that is learned. Special tokens that the template writes go in as ids;
 * the same characters inside a message stay plain text. Templates that write today's date get a fixed one, so that a
 * text is the same on every day.
 *
 * Throws IFT_TEMPLATE_MISSING without a chat template, IFT_TEMPLATE_FAILED when the template refuses a conversation,
 * IFT_TEMPLATE_UNSTABLE when no answer can be found in what it writes.
 */
export function createChatTemplate(
  tokenizer: ChatTokenizer,
  options: { source?: string; name?: string } = {},
): PromptTemplate & { readonly source: string } {
  const source = options.source ?? tokenizer.chatTemplate
  if (source === null)
    throw new IftError(
      'IFT_TEMPLATE_MISSING',
      'The tokenizer has no chat template.',
      'Choose another one: template: "alpaca", "vicuna", "chatml", "llama2", "llama3", "belle" or "plain".',
    )
  let template: JinjaTemplate
  try {
    template = compileTemplate(source)
  } catch (cause) {
    throw failed('The chat template of the tokenizer is not valid Jinja', cause)
  }
  const tokens = specialTokens(tokenizer)
  const context = surroundings(tokenizer, source)
  const eosText = context.findLast(([name]) => name === 'eos_token')?.[1]
  const eos = typeof eosText === 'string' ? eosText : null
  const generates = marksGeneration(source)
  const roles = ['developer', 'function'].filter((role) => new RegExp(`['"]${role}['"]`).test(source))

  /** Every rendering. */
  const write = (
    messages: Value,
    {
      tools,
      variables,
    }: { readonly tools: Value; readonly variables: readonly (readonly [string, Value])[] },
    ask: boolean,
  ): string =>
    template.render(
      new Map<string, Value>([
        ...context,
        ['documents', null],
        ...variables,
        ['messages', messages],
        ['tools', tools],
        ['add_generation_prompt', ask],
      ]),
    )

  /** A conversation in the form that the template takes, ready to be rendered in parts. */
  const prepare = (messages: readonly Message[], { tools, variables = {} }: Beside, parts: boolean) => {
    const texts = conversationTexts(messages, [tools, variables])
    const marks = canMark(texts)
    const guard = guardFor(texts, new RegExp(tokens.pattern().source))
    const guarded = (text: string) => tokens.guarded(text, guard)
    const formOf = ({ texts, objects }: { readonly texts: boolean; readonly objects: boolean }) =>
      messageValues(messages, {
        knowsRole: (role) => roles.includes(role),
        parts,
        guard: guarded,
        marks,
        texts,
        objects,
      }) as Value[]
    const beside = {
      tools: guardedJson(tools, guarded),
      variables: Object.entries(variables).map(
        ([name, value]) => [name, guardedJson(value, guarded)] as const,
      ),
    }
    const attempt = (values: readonly Value[], count: number, ask: boolean): Rendering => {
      const text = write(values.slice(0, count), beside, ask)
      return marks || generates ? takeMarks(text) : { text, marks: [] }
    }
    let values = formOf({ texts: false, objects: false })
    return {
      guard,
      render: (count: number, ask: boolean): Rendering => {
        try {
          return attempt(values, count, ask)
        } catch (cause) {
          if (messages.some(isVaried) && !(cause instanceof TemplateLimit))
            for (const form of otherForms) {
              const others = formOf(form)
              try {
                const rendering = attempt(others, count, ask)
                values = others
                return rendering
              } catch {
                // The first refusal is about the record as it is.
              }
            }
          throw failed('The chat template of the tokenizer refuses this conversation', cause)
        }
      },
    }
  }

  /** Rendering of a short conversation; null when the template refuses it. */
  const probe = (parts: boolean): TurnShape | null => {
    const user = (content: string): Message => ({ role: 'user', content })
    const messages = [user('q'), { role: 'assistant', content: 'a' } as const, user('r')]
    const asked = prepare(messages, {}, parts)
    const attempt = (count: number, ask: boolean) => {
      try {
        return asked.render(count, ask)
      } catch (cause) {
        return refused(cause)
      }
    }
    const answered = attempt(2, false)
    if (!answered) return null
    const open = attempt(1, true)?.text ?? ''
    const bare = attempt(1, false)?.text ?? open
    // Without a generation prompt the text may end differently.
    const header = open.slice(commonLength(open, bare, tokens.pattern()))
    return turnShape(answered, attempt(3, false), header, { eos, specials: tokens.pattern })
  }
  let known: { readonly shape: TurnShape; readonly parts: boolean } | undefined
  const form = () => {
    if (known) return known
    const shape = probe(false)
    // Templates of models that also see images may take nothing but lists of parts.
    const ofParts = shape ? null : probe(true)
    const unknown = { header: '', closing: null, enders: new Set(eos === null ? [] : [eos]) }
    return (known = { shape: shape ?? ofParts ?? unknown, parts: ofParts !== null })
  }

  const answersIn = (
    whole: Rendering,
    messages: readonly Message[],
    render: (count: number, ask: boolean) => Rendering,
  ): Answer[] => {
    if (generates) return generatedSpans(whole)
    const attempt = <T>(work: () => T): T | null => {
      try {
        return work()
      } catch (cause) {
        return refused(cause)
      }
    }
    const finding: AnswerContext = {
      shape: form().shape,
      specials: tokens.pattern,
      promptOf: (message) => (message === 0 ? '' : attempt(() => render(message, true).text)),
      closingOf: (message) =>
        attempt(() => {
          const alone = render(message + 1, false)
          const span = spansOf(alone.marks).get(message)?.[0]
          return span ? alone.text.slice(span.end) : null
        }),
    }
    return findAnswers(whole, messages, finding)
  }

  return {
    name: options.name ?? 'chat',
    source,
    // What is known of it is its Jinja.
    sources: { jinja: () => source, go: () => null },
    stop: [],
    render(example, trainOn: TrainOn) {
      const all = toMessages(example)
      const last = all.findLastIndex(({ role }) => role === 'assistant')
      // Turns behind the last answer teach nothing.
      const messages = last < 0 ? all : all.slice(0, last + 1)
      if (last < 0 && trainOn !== 'all') return []
      const { guard, render } = prepare(messages, besideOf(example), form().parts)
      const whole = render(messages.length, false)
      const answers = last < 0 ? [] : answersIn(whole, messages, render)
      const wanted = answers.filter(({ message }) => trainOn === 'assistant' || message === last)
      const toLearn = messages.filter(
        ({ role, learned }, i) =>
          role === 'assistant' && learned !== false && (trainOn === 'assistant' || i === last),
      )
      if (trainOn !== 'all' && wanted.length === 0 && toLearn.length > 0) throw lost(whole.text, guard)

      const segments: Segment[] = []
      let at = 0
      const between = (end: number) =>
        segments.push(...tokens.split(whole.text.slice(at, end), guard, { role: 'template', trained: false }))
      for (const { message, start, end } of answers) {
        between(start)
        const excluded = messages[message]?.learned === false
        segments.push(
          ...tokens.split(whole.text.slice(start, end), guard, {
            role: 'assistant',
            trained: !excluded && (trainOn !== 'last' || message === last),
            ...(excluded && { excluded }),
          }),
        )
        at = end
      }
      // A template without end tokens would never teach to stop.
      if (
        answers.length > 0 &&
        !generates &&
        eos !== null &&
        messages[last]?.learned !== false &&
        !segments.at(-1)?.special &&
        !segments.some(({ special, trained }) => special && trained)
      )
        segments.push({ role: 'assistant', text: 'eos', trained: true, special: true })
      between(whole.text.length)
      return trainOn === 'all' ? learn(segments, trainOn) : segments
    },
    prompt(example) {
      const messages = promptMessages(example)
      const { guard, render } = prepare(messages, besideOf(example), form().parts)
      const { text } = render(messages.length, true)
      return tokens.split(text, guard, { role: 'template', trained: false })
    },
  }
}

/** A template may refuse one form of a conversation and take another; one that has taken too much is not tried again. */
function refused(cause: unknown): null {
  if (cause instanceof IftError && cause.cause instanceof TemplateLimit) throw cause
  return null
}

const failed = (what: string, cause: unknown) =>
  new IftError(
    'IFT_TEMPLATE_FAILED',
    `${what}: ${cause instanceof Error ? cause.message : String(cause)}`,
    'Change the conversation, or choose another template such as "alpaca".',
    { cause },
  )

function lost(text: string, guard: string): IftError {
  const plain = guard === '' ? text : text.replaceAll(guard, '')
  const shown = plain.length > 200 ? `…${plain.slice(-200)}` : plain
  return new IftError(
    'IFT_TEMPLATE_UNSTABLE',
    `The chat template does not write the answer that is to be learned: ${JSON.stringify(shown)}.`,
    'Choose another template, or a trainOn that learns other answers.',
  )
}
