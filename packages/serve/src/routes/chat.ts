import { AnswerText, type Answer, type Generation, type MessagesExample } from '@ift/core'
import { jsonBody } from '../body.js'
import { messageOf } from '../messages.js'
import { constraintOf } from '../response-format.js'
import { chatRequest, type ChatRequest } from '../schema/chat.js'
import { readRequest } from '../schema/read.js'
import type { Serving } from '../serving.js'
import { settingsOf } from '../settings.js'
import { together } from '../together.js'
import { variablesOf } from '../template-variables.js'
import { calledFor } from '../tool-choice.js'
import { opensReasoning, toolParserFor, type ToolParser } from '../tools/parser.js'
import { invalid, unsupported } from '../wire/errors.js'
import { chatLogprobs } from '../wire/logprobs.js'
import { AssistantMessage, deltasOf } from '../wire/message.js'
import { finishReason, stopReason, usageOf } from '../wire/reply.js'
import { streamed } from './reply-stream.js'
import { underWay } from './under-way.js'
import type { Routes } from './route.js'

/** What all parts of a reply begin with. */
interface Head {
  readonly id: string
  readonly object: string
  readonly created: number
  readonly model: string
  readonly system_fingerprint: string
}

/** A request whose answers are on their way. */
interface Chat {
  readonly server: Serving
  readonly asked: ChatRequest
  readonly answers: readonly Answer[]
  /** Reads an answer; one for each. */
  readonly parser: () => (piece: string, isEnd: boolean) => ReturnType<ToolParser['feed']>
}

/** `POST /v1/chat/completions`. */
export const chatRoutes: Routes = (app, { serving, enter, logPrompt, options }) => {
  app.post('/v1/chat/completions', async (context) => {
    const server = serving()
    const body = await jsonBody(context.req.raw)
    logPrompt(context, body)
    const { value: asked, ignored } = readRequest(chatRequest, body, options.strict ?? false)
    const model = server.models.named(asked.model)
    const variables = variablesOf(server.open, asked)
    const unread = [...ignored, ...variables.ignored]
    if (options.strict === true && variables.ignored.length > 0)
      throw unsupported(
        variables.ignored[0]!,
        `"${variables.ignored[0]!}" is nothing that the template reads.`,
      )
    context.set('ignored', unread)
    context.set('model', model.id)
    const scope = enter(context)
    return underWay(scope, async () => {
      const chat = await submit(server, asked, variables.example, scope.signal)
      scope.answers(chat.answers)
      const head = (object: string): Head => ({
        ...{ id: `chatcmpl-${server.stamp.id()}`, object, created: Math.floor(server.stamp.now() / 1000) },
        ...{ model: model.id, system_fingerprint: server.fingerprint },
      })
      if (asked.stream === true)
        return streamed(context, chunks(head('chat.completion.chunk'), chat), scope, options)
      const reply = await whole(head('chat.completion'), chat)
      scope.leave()
      return context.json(reply)
    })
  })
}

/** What the template is, for the parser of answers. */
const templateOf = ({ open: { template, tokenizer } }: Serving) => ({
  name: template.name,
  source: template.name === 'chat' ? tokenizer.chatTemplate : null,
})

/** The functions that may be called: none where the request says so, and an error where the template knows no functions. */
function toolsOf(server: Serving, { tools = [], tool_choice: choice }: ChatRequest) {
  if (tools.length === 0 || choice === 'none') return []
  const { source, name } = templateOf(server)
  if (source === null || !/\btools\b/.test(source))
    throw unsupported('tools', `tools: the template "${name}" writes none, so the model would not see them.`)
  return tools
}

function refuse({ chat_template, top_logprobs, logprobs }: ChatRequest): void {
  if (chat_template !== undefined)
    throw unsupported(
      'chat_template',
      'chat_template: the template is that of the checkpoint; none is taken from requests.',
    )
  if (top_logprobs !== undefined && logprobs !== true)
    throw invalid(
      'top_logprobs',
      `top_logprobs: expected logprobs: true beside it, found ${logprobs ?? 'nothing'}.`,
    )
}

async function submit(
  server: Serving,
  asked: ChatRequest,
  variables: Pick<MessagesExample, 'variables'>,
  signal: AbortSignal,
): Promise<Chat> {
  refuse(asked)
  const { generator, models, open } = server
  const tools = toolsOf(server, asked)
  const messages = asked.messages.map(messageOf)
  const last = messages.at(-1)!
  // An answer that has begun is gone on with.
  const begun = last.role === 'assistant' ? last.content : null
  if (asked.continue_final_message === true && begun === null)
    throw invalid(
      'continue_final_message',
      `continue_final_message: expected the last message of the role assistant, found ${last.role}.`,
    )
  const prompt: MessagesExample = {
    messages: begun === null ? messages : messages.slice(0, -1),
    ...(tools.length > 0 && { tools }),
    ...variables,
  }
  const head = await generator.encode(prompt)
  const ids = begun === null ? head : Int32Array.of(...head, ...(await open.tokenizer.encode(begun)).ids)
  const maxTokens = asked.max_completion_tokens ?? asked.max_tokens
  const template = templateOf(server)
  const functions = tools.map(({ function: { name, parameters } }) => ({ name, parameters }))
  const calls = calledFor(template, functions, asked)
  const constraint = calls ?? constraintOf(asked.response_format)
  const settings = {
    ...settingsOf(server, asked, { promptTokens: ids.length, maxTokens }),
    ...(asked.logprobs === true && { logprobs: asked.top_logprobs ?? 0 }),
    ...(constraint && { constraint }),
    adapter: models.named(asked.model).adapter,
  }
  const tail = template.source === null ? '' : await open.tokenizer.decode(ids.slice(-64), { specials: true })
  const reading = { tools: tools.length > 0, functions, reasoning: !calls && opensReasoning(tail) }
  const answers: Answer[] = []
  for (let stream = 0; stream < (asked.n ?? 1); stream++)
    answers.push(
      await generator.submit(ids, settings, {
        ...{ signal, stream, behind: answers[0] },
        ...(asked.cache_salt !== undefined && { cacheSalt: asked.cache_salt }),
      }),
    )
  return {
    ...{ server, asked, answers },
    parser: () => {
      const parser = toolParserFor(template, reading)
      const shown = new AnswerText(begun === null ? prompt : begun)
      return (piece, isEnd) => {
        const text = shown.piece(piece)
        return [...(text === '' ? [] : parser.feed(text)), ...(isEnd ? parser.end() : [])]
      }
    },
  }
}

/** A whole reply. */
async function whole(head: Head, { server, asked, answers, parser }: Chat) {
  const ended = await Promise.all(answers.map(({ result }) => result))
  const choices = ended.map(async (answer, index) => {
    const message = new AssistantMessage()
    message.add(parser()(answer.text, true))
    return {
      index,
      message: message.message,
      logprobs: answer.logprobs ? await chatLogprobs(server.texts, answer.logprobs) : null,
      ...endOf(answer, asked, message.hasCalls),
    }
  })
  return { ...head, choices: await Promise.all(choices), usage: usageOf(ended) }
}

const endOf = (answer: Generation, { stop_token_ids = [] }: ChatRequest, called: boolean) => ({
  finish_reason: called && answer.finish !== 'length' ? 'tool_calls' : finishReason(answer.finish),
  stop_reason: stopReason(answer, stop_token_ids),
})

/** A reply piece by piece. */
async function* chunks(head: Head, { server, asked, answers, parser }: Chat): AsyncGenerator<unknown, void> {
  const tellsUsage = asked.stream_options?.include_usage === true
  const usage = tellsUsage ? { usage: null } : {}
  const chunk = (index: number, delta: object, more: object = {}) => ({
    ...head,
    choices: [{ index, delta, logprobs: null, finish_reason: null, ...more }],
    ...usage,
  })
  for (const index of answers.keys()) yield chunk(index, { role: 'assistant', content: '' })
  const readers = answers.map(() => ({ read: parser(), called: false }))
  const generations: Generation[] = []
  for await (const { index, piece, end } of together(answers)) {
    const reader = readers[index]!
    const events = reader.read(piece?.text ?? '', piece === null)
    reader.called ||= events.some(({ kind }) => kind === 'call')
    const deltas = deltasOf(events)
    if (piece && piece.logprobs.length > 0) {
      // Of tokens whose text is held back, the log-probabilities come at once.
      const logprobs = await chatLogprobs(server.texts, piece.logprobs)
      yield chunk(index, deltas.shift() ?? {}, { logprobs })
    }
    for (const delta of deltas) yield chunk(index, delta)
    if (end) {
      generations[index] = end
      yield chunk(index, {}, endOf(end, asked, reader.called))
    }
  }
  if (tellsUsage) yield { ...head, choices: [], usage: usageOf(generations) }
}
