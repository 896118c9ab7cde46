import { computed, effect, signal, type Signal } from '@preact/signals'
import {
  score,
  tokensOfMessages,
  tokensOfText,
  type AnswerToken,
  type ChatMessage,
} from '../../api/completions.js'
import { faultOf, type Fault } from '../../app/faults.js'
import { bodyOf, history, historyRead, newId, save, savedElsewhere, titleOf } from '../../app/history.js'
import { json, stored } from '../../app/stored.js'
import { blankAnswer, write } from './answer-writer.js'
import { modelNamed } from './models.js'
import { defaults, readTools, seedOf, type Parameters } from './parameters.js'
import {
  branchesBehind,
  isConversation,
  messagesOf,
  rounds,
  thread,
  upTo,
  withBranch,
  withChange,
  withTurn,
  withTurnsOf,
  type Answer,
  type Conversation,
  type Turn,
} from './tree.js'

/** What a new conversation begins with: what was set last. */
const last = stored<Pick<Conversation, 'model' | 'system' | 'tools' | 'parameters' | 'tint'>>(
  'chat.settings',
  () => ({ model: null, system: '', tools: '', parameters: defaults, tint: false }),
  json((value): value is Pick<Conversation, 'model' | 'system' | 'tools' | 'parameters' | 'tint'> =>
    isConversation({ ...(value as object), version: 1, turns: [], chosen: {} }),
  ),
)

const blank = (): Conversation => ({
  ...{ version: 1, ...last.peek(), turns: [], chosen: {}, sentFrom: null },
  parameters: { ...defaults, ...last.peek().parameters },
})

/** Milliseconds between two writes of a conversation that is being written to. */
const saveEvery = 2000

/** A conversation that is open: what is shown of it, and what is done with it. */
export class ChatSession {
  readonly conversation: Signal<Conversation>
  readonly shown = computed(() => thread(this.conversation.value))
  /** What ends the answer under way. */
  readonly #under = signal<AbortController | null>(null)
  readonly isWriting = computed(() => this.#under.value !== null)
  /** Ids of answers that are scored now, and what went wrong with those that were. */
  readonly scoring = signal<ReadonlyMap<string, Fault | null>>(new Map())
  /** Tokens of the thread as it would be sent, without an answer under way; null until counted. */
  readonly tokens = signal<readonly number[] | null>(null)
  /** Turns that do not fit any more, where the last request said so. */
  readonly full = signal<{
    readonly drop: number
    readonly from: string | null
    readonly tokens: number
    readonly most: number
  } | null>(null)
  #created = Date.now()
  #saved = 0

  constructor(
    readonly id: string,
    conversation: Conversation = blank(),
    readonly isNew = true,
  ) {
    this.conversation = signal(conversation)
    const entry = history.peek().find((one) => one.id === id)
    if (entry) this.#created = entry.created
  }

  get model() {
    return modelNamed(this.conversation.value.model)
  }

  /** Changes settings, which the next new conversation begins with too. */
  set(
    change: Partial<Pick<Conversation, 'model' | 'system' | 'tools' | 'tint'>> & {
      readonly parameters?: Partial<Parameters>
    },
  ): void {
    const { parameters, ...rest } = change
    const now = this.conversation.value
    const next = { ...now, ...rest, parameters: { ...now.parameters, ...parameters } }
    this.conversation.value = next
    const { model, system, tools, tint } = next
    last.value = { model, system, tools, tint, parameters: next.parameters }
    void this.#keep()
  }

  /** Asks, at the end of what is shown. */
  send(content: string): void {
    this.#ask({ content, parent: this.shown.value.at(-1)?.id ?? null })
  }

  /** What a function gave, to the call of the last answer. */
  sendResult(content: string, callId: string): void {
    const turn: Turn = {
      ...{ id: newId(), parent: this.shown.value.at(-1)!.id, role: 'tool', content },
      callId,
    }
    this.conversation.value = withTurn(this.conversation.value, turn)
    void this.#answer(turn.id)
  }

  #ask({ content, parent }: { readonly content: string; readonly parent: string | null }): void {
    const turn: Turn = { id: newId(), parent, role: 'user', content }
    this.conversation.value = withTurn(this.conversation.value, turn)
    void this.#answer(turn.id)
  }

  /** A branch beside a message with another text: asked anew, or an answer as it should have been. */
  edit(turn: Turn, content: string): void {
    if (turn.role !== 'assistant') {
      this.#ask({ content, parent: turn.parent })
      return
    }
    const answer: Answer = {
      ...turn.answer!,
      ...{ tokens: null, usage: null, end: 'written', error: null, calls: [] },
    }
    this.conversation.value = withTurn(this.conversation.value, { ...turn, id: newId(), content, answer })
    void this.#keep()
  }

  /** Another answer to the same messages. */
  regenerate(turn: Turn): void {
    void this.#answer(turn.parent)
  }

  /** The last answer that is shown. */
  get lastAnswer(): Turn | null {
    return this.shown.value.findLast(({ role }) => role === 'assistant') ?? null
  }

  /** Goes on with an answer that was stopped, cut or broken off. */
  goOn(turn: Turn): void {
    void this.#write(turn.id, turn.parent, turn.answer!.seed, {
      content: turn.content,
      tokens: turn.answer!.tokens,
    })
  }

  /** A branch that goes on from another token. */
  goOnFrom(turn: Turn, begun: { readonly text: string; readonly tokens: readonly AnswerToken[] }): void {
    void this.#answer(turn.parent, { content: begun.text, tokens: begun.tokens })
  }

  branch(turn: Turn, by: 1 | -1): void {
    this.conversation.value = withBranch(this.conversation.value, turn, by)
    void this.#keep()
  }

  stop(): void {
    this.#under.value?.abort()
  }

  /** Messages in front of a turn, as they are sent. */
  before(turn: Turn): readonly ChatMessage[] {
    return messagesOf(this.conversation.value, upTo(this.conversation.value, turn.parent))
  }

  /** Probabilities for an answer that has none. */
  async score(turn: Turn): Promise<void> {
    const { model } = turn.answer!
    this.scoring.value = new Map(this.scoring.value).set(turn.id, null)
    try {
      const tokens = await score(modelNamed(model)!.id, this.before(turn), turn.content)
      this.#change(turn.id, (one) => ({ ...one, answer: { ...one.answer!, tokens } }))
      this.scoring.value = without(this.scoring.value, turn.id)
      await this.#keep()
    } catch (error) {
      this.scoring.value = new Map(this.scoring.value).set(turn.id, faultOf(error))
    }
  }

  /** Sends from a later turn on. */
  drop(): void {
    const { from } = this.full.value!
    this.full.value = null
    this.conversation.value = { ...this.conversation.value, sentFrom: from }
    const failed = this.shown.value.at(-1)
    if (failed?.answer?.end === 'failed') this.regenerate(failed)
  }

  #change(id: string, change: (turn: Turn) => Turn): void {
    this.conversation.value = withChange(this.conversation.value, id, change)
  }

  async #answer(
    parent: string | null,
    begun?: { readonly content: string; readonly tokens: readonly AnswerToken[] },
  ): Promise<void> {
    const { value: conversation } = this.conversation
    const seed = seedOf(conversation.parameters, branchesBehind(conversation, parent).length)
    const id = newId()
    const answer = blankAnswer({ model: this.model?.id ?? '', seed })
    this.conversation.value = withTurn(conversation, {
      ...{ id, parent, role: 'assistant', content: begun?.content ?? '' },
      answer,
    })
    await this.#write(id, parent, seed, begun)
  }

  async #write(
    id: string,
    parent: string | null,
    seed: number,
    begun?: { readonly content: string; readonly tokens: readonly AnswerToken[] | null },
  ): Promise<void> {
    this.stop()
    const under = new AbortController()
    this.#under.value = under
    this.full.value = null
    const { parameters, tint, tools } = this.conversation.value
    const turns = upTo(this.conversation.value, parent)
    const messages = messagesOf(this.conversation.value, turns)
    const goesOn = begun !== undefined && begun.content !== ''
    // Frames of the screen, not pieces of the stream, decide how often it is drawn.
    let waiting: (() => void) | null = null
    const draw = () => {
      waiting?.()
      waiting = null
      if (Date.now() - this.#saved > saveEvery) void this.#keep()
    }
    try {
      const written = await write({
        asked: {
          ...parameters,
          ...{ model: this.model?.id ?? '', seed, goesOn, probabilities: tint, tools: toolsOf(tools) },
          messages: goesOn ? [...messages, { role: 'assistant', content: begun.content }] : messages,
        },
        begun,
        signal: under.signal,
        onChange: ({ content, answer }) => {
          if (waiting === null) requestAnimationFrame(draw)
          waiting = () => this.#change(id, (turn) => ({ ...turn, content, answer }))
        },
      })
      waiting = null
      this.#change(id, (turn) => ({ ...turn, content: written.content, answer: written.answer }))
      if (written.answer.error?.code === 'context_length_exceeded') await this.#findRoom(turns)
    } finally {
      if (this.#under.value === under) this.#under.value = null
      await this.#keep()
    }
  }

  /** Which turns have to go for the rest to fit, with room for an answer. */
  async #findRoom(turns: readonly Turn[]): Promise<void> {
    const model = this.model
    if (!model?.max_model_len) return
    const room = Math.min(this.conversation.value.parameters.maxTokens, Math.floor(model.max_model_len / 4))
    const count = async (sentFrom: string | null) =>
      (await tokensOfMessages(model.id, messagesOf({ ...this.conversation.value, sentFrom }, turns))).length
    try {
      const tokens = await count(this.conversation.value.sentFrom)
      const starts = rounds(turns).slice(1)
      for (const [i, start] of starts.entries()) {
        const from = turns[start]!.id
        // The last message may be left with less room for its answer, but not with none.
        const least = i < starts.length - 1 ? room : 1
        if ((await count(from)) + least > model.max_model_len) continue
        this.full.value = { drop: start, from, tokens, most: model.max_model_len }
        return
      }
      this.full.value = { drop: 0, from: null, tokens, most: model.max_model_len }
    } catch {
      // What the server said of the length stands in the answer.
    }
  }

  #counting: AbortController | null = null

  /** Counts what would be sent. */
  async count(): Promise<void> {
    this.#counting?.abort()
    const turns = this.shown.value
    const model = this.model
    const messages = messagesOf(this.conversation.value, turns)
    if (!model || turns.length === 0) {
      this.tokens.value = null
      return
    }
    const own = new AbortController()
    this.#counting = own
    const answer = turns.at(-1)!.role === 'assistant' ? messages.at(-1)!.content : ''
    try {
      const [head, tail] = await Promise.all([
        tokensOfMessages(
          model.id,
          turns.at(-1)!.role === 'assistant' ? messages.slice(0, -1) : messages,
          own,
        ),
        answer === '' ? [] : tokensOfText(model.id, answer, own),
      ])
      this.tokens.value = [...head, ...tail]
    } catch {
      if (!own.signal.aborted) this.tokens.value = null
    }
  }

  async #keep(): Promise<void> {
    this.#saved = Date.now()
    const conversation = this.conversation.value
    if (conversation.turns.length === 0) return
    const title =
      history.peek().find(({ id }) => id === this.id)?.title ?? titleOf(conversation.turns[0]!.content)
    const entry = {
      ...{ id: this.id, kind: 'chat' as const, title, created: this.#created },
      updated: this.#saved,
    }
    await save(entry, conversation, withTurnsOf)
  }
}

function without<T>(map: ReadonlyMap<string, T>, key: string): ReadonlyMap<string, T> {
  const rest = new Map(map)
  rest.delete(key)
  return rest
}

/** Functions that cannot be read are none; the field says what is wrong with them. */
function toolsOf(typed: string): readonly unknown[] {
  try {
    return readTools(typed)
  } catch {
    return []
  }
}

const open = new Map<string, ChatSession>()

// What another tab writes shows here too; an answer under way is united with it when it is kept.
effect(() => {
  const session = open.get(savedElsewhere.value?.id ?? '')
  if (session === undefined) return
  void bodyOf(session.id).then((body) => {
    if (!session.isWriting.peek()) session.conversation.value = withTurnsOf(session.conversation.peek(), body)
  })
})

/** The conversation of an id, with its answer under way; a new one where there is none of it. */
export async function sessionOf(id: string): Promise<ChatSession> {
  const found = open.get(id)
  if (found) return found
  await historyRead
  const body = await bodyOf(id)
  const session = isConversation(body) ? new ChatSession(id, ended(body), false) : new ChatSession(id)
  open.set(id, session)
  return session
}

/** A new conversation; kept from its first message on. */
export function newSession(): ChatSession {
  const session = new ChatSession(newId())
  open.set(session.id, session)
  return session
}

/** A new conversation with what is shown of another, up to a turn. */
export async function splitOff(session: ChatSession, turn: Turn): Promise<string> {
  const turns = upTo(session.conversation.value, turn.id)
  const split = new ChatSession(newId(), { ...session.conversation.value, turns, chosen: {} })
  open.set(split.id, split)
  await save(
    {
      ...{ id: split.id, kind: 'chat', title: titleOf(turns[0]!.content) },
      created: Date.now(),
      updated: Date.now(),
    },
    split.conversation.value,
  )
  return split.id
}

/** An answer that was being written when the page closed was stopped by that. */
const ended = (conversation: Conversation): Conversation => ({
  ...conversation,
  parameters: { ...defaults, ...conversation.parameters },
  turns: conversation.turns.map((turn) =>
    turn.answer?.end === 'writing' ? { ...turn, answer: { ...turn.answer, end: 'stopped' } } : turn,
  ),
})
