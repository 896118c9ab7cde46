import { Template } from '@huggingface/jinja'
import { IftError } from '@ift/tensor'
import { promptMessages, toMessages } from '../conversation.js'
import { exactJson, parseExactJson } from '../exact-json.js'
import type { PromptTemplate, TrainOn } from '../../plugin/contract/template.js'
import type { Tokenizer } from '../../plugin/contract/tokenizer.js'
import {
  isInstruction,
  type InstructionExample,
  type Message,
  type MessagesExample,
  type Segment,
} from '../types.js'
import { withExactNumbers } from './exact-numbers.js'
import { learn } from './turns.js'

/** The characters that may stand in for nothing: code points for private use. */
const privateUse = { first: 0xe000, last: 0xf8ff }

type ChatTokenizer = Pick<Tokenizer, 'chatTemplate' | 'specials' | 'bosId' | 'eosId' | 'token'>

/** 26 July 2024, the date that Llama 3's template falls back to. */
const fixedDate = (format: string): string =>
  format.replace(
    /%([dmYBbyHMS])/g,
    (_, code: string) =>
      ({ d: '26', m: '07', Y: '2024', y: '24', B: 'July', b: 'Jul', H: '00', M: '00', S: '00' })[code]!,
  )

const escapeRegExp = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/**
 * The checkpoint's own Jinja `chat_template`. Where answers begin and end is found by rendering the conversation up to
 * and including each of them, never by searching text. Special tokens that the template writes go in as ids; the same
 * characters inside a message stay plain text. Templates that write today's date get a fixed one, so that a text is the
 * same on every day.
 *
 * Throws IFT_TEMPLATE_MISSING without a chat template, IFT_TEMPLATE_FAILED when the template refuses a conversation,
 * IFT_TEMPLATE_UNSTABLE when it rewrites earlier turns as later ones come.
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
  let template: Template
  try {
    // The library's own strftime_now, which cannot be replaced, gives the current date.
    template = new Template(source.replaceAll('strftime_now', 'fixed_date'))
  } catch (cause) {
    throw failed('The chat template of the tokenizer is not valid Jinja', cause)
  }
  const guardsDate = source.includes('strftime_now is defined')
  const names = [...tokenizer.specials.keys()]
    .filter((name) => name.length > 1)
    .sort((a, b) => b.length - a.length)
  const pattern = names.length > 0 ? names.map(escapeRegExp).join('|') : '(?!)'
  const tokenText = (id: number | null) => {
    if (id === null) return ''
    for (const [text, special] of tokenizer.specials) if (special === id) return text
    return tokenizer.token(id) ?? ''
  }
  const bos = tokenText(tokenizer.bosId)
  const eos = tokenText(tokenizer.eosId)

  const renderText = (messages: readonly object[], tools: unknown, ask: boolean): string => {
    const exact = withExactNumbers({ messages, tools: tools ?? null }, source)
    try {
      return exact.restore(
        template.render({
          ...exact.value,
          add_generation_prompt: ask,
          bos_token: bos,
          eos_token: eos,
          ...(!guardsDate && { fixed_date: fixedDate }),
        }),
      )
    } catch (cause) {
      throw failed('The chat template of the tokenizer refuses this conversation', cause)
    }
  }

  /** Splits at special tokens and removes the guard. */
  const split = (text: string, guard: string, role: Segment['role'], trained: boolean): Segment[] => {
    const segments: Segment[] = []
    let at = 0
    const push = (piece: string) => {
      if (piece !== '')
        segments.push({ role, text: guard === '' ? piece : piece.replaceAll(guard, ''), trained })
    }
    for (const match of text.matchAll(new RegExp(pattern, 'g'))) {
      push(text.slice(at, match.index))
      segments.push({ role, text: match[0], trained, special: true })
      at = match.index + match[0].length
    }
    push(text.slice(at))
    return segments
  }

  const prepare = (messages: readonly Message[]) => {
    const guard = guardFor(messages, new RegExp(pattern))
    const guarded = (text: string) =>
      guard === '' ? text : text.replace(new RegExp(pattern, 'g'), (name) => name[0]! + guard + name.slice(1))
    return {
      guard,
      items: messages.map(({ role, content, toolCalls }) => ({
        role,
        content: guarded(content),
        ...(toolCalls && { tool_calls: parseExactJson(guarded(exactJson(toolCalls))) }),
      })),
    }
  }

  const toolsOf = (example: InstructionExample | MessagesExample) =>
    isInstruction(example) ? undefined : example.tools

  return {
    name: options.name ?? 'chat',
    source,
    stop: [],
    render(example, trainOn: TrainOn) {
      const messages = toMessages(example)
      const { guard, items } = prepare(messages)
      const tools = toolsOf(example)
      const last = messages.findLastIndex(({ role }) => role === 'assistant')
      // Turns behind the last answer teach nothing.
      const whole = renderText(items.slice(0, last + 1), tools, false)
      const segments: Segment[] = []
      let at = 0
      for (let i = 0; i <= last; i++) {
        if (messages[i]!.role !== 'assistant' || messages[i - 1]?.role === 'assistant') continue
        // Answers in a row are one: no template asks for a second one.
        let end = i
        while (messages[end + 1]?.role === 'assistant') end++
        const before = i === 0 ? '' : renderText(items.slice(0, i), tools, true)
        const after = end === last ? whole : renderText(items.slice(0, end + 1), tools, false)
        if (
          !whole.startsWith(before) ||
          !whole.startsWith(after) ||
          !after.startsWith(before) ||
          before.length < at
        )
          throw unstable(whole.startsWith(before) ? after : before, whole, i)
        segments.push(...split(whole.slice(at, before.length), guard, 'template', false))
        const answer = split(whole.slice(before.length, after.length), guard, 'assistant', true)
        // What a template writes behind the end token belongs to nobody.
        const endToken = answer.findLastIndex(({ special }) => special)
        if (endToken >= 0)
          for (let k = endToken + 1; k < answer.length; k++) answer[k] = { ...answer[k]!, trained: false }
        segments.push(...answer)
        at = after.length
      }
      // A template without end tokens would never teach to stop.
      if (
        last >= 0 &&
        eos !== '' &&
        !segments.at(-1)?.special &&
        !segments.some(({ special, trained }) => special && trained)
      )
        segments.push({ role: 'assistant', text: 'eos', trained: true, special: true })
      return learn(segments, trainOn)
    },
    prompt(example) {
      const { guard, items } = prepare(promptMessages(example))
      return split(renderText(items, toolsOf(example), true), guard, 'template', false)
    },
  }
}

/** A private-use character that no message contains; '' when no message looks like a special token. */
function guardFor(messages: readonly Message[], specials: RegExp): string {
  const texts = messages.map(({ content, toolCalls }) =>
    toolCalls ? content + exactJson(toolCalls) : content,
  )
  if (!texts.some((text) => specials.test(text))) return ''
  for (let code = privateUse.first; code <= privateUse.last; code++) {
    const guard = String.fromCharCode(code)
    if (!texts.some((text) => text.includes(guard))) return guard
  }
  throw new IftError(
    'IFT_TEMPLATE_FAILED',
    'The conversation contains every private-use character.',
    'Remove them.',
  )
}

const failed = (what: string, cause: unknown) =>
  new IftError(
    'IFT_TEMPLATE_FAILED',
    `${what}: ${cause instanceof Error ? cause.message : String(cause)}`,
    'Change the conversation, or choose another template such as "alpaca".',
    { cause },
  )

function unstable(part: string, whole: string, index: number): IftError {
  let at = 0
  while (at < part.length && part[at] === whole[at]) at++
  const around = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 20), at + 20))
  return new IftError(
    'IFT_TEMPLATE_UNSTABLE',
    `The chat template writes the turns before answer ${index} differently once later turns follow: ` +
      `${around(part)} became ${around(whole)} at character ${at}.`,
    'Train on single rounds, or choose another template.',
  )
}
