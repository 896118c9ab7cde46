import type { Answer, Generation, TokenLogProb } from '@ift/core'
import { jsonBody } from '../body.js'
import { completionRequest, type CompletionRequest } from '../schema/completion.js'
import { readRequest } from '../schema/read.js'
import type { Serving } from '../serving.js'
import { settingsOf } from '../settings.js'
import { together } from '../together.js'
import { invalid, unsupported } from '../wire/errors.js'
import { textLogprobs } from '../wire/logprobs.js'
import { addUsage, finishReason, stopReason, usageOf } from '../wire/reply.js'
import { streamed } from './reply-stream.js'
import { underWay } from './under-way.js'
import type { Routes } from './route.js'

/** One of the prompts of a request, with its answers. */
interface Continued {
  readonly ids: Int32Array
  /** The prompt's text, where it is to be shown. */
  readonly text: string
  readonly answers: readonly Answer[]
}

/** `POST /v1/completions`: texts and ids that are continued as they are, without a template. */
export const completionRoutes: Routes = (app, { serving, enter, logPrompt, options }) => {
  app.post('/v1/completions', async (context) => {
    const server = serving()
    const body = await jsonBody(context.req.raw)
    logPrompt(context, body)
    const { value: asked, ignored } = readRequest(completionRequest, body, options.strict ?? false)
    refuseUnknown(asked)
    const model = server.models.named(asked.model)
    context.set('ignored', ignored)
    context.set('model', model.id)
    const scope = enter(context)
    return underWay(scope, async () => {
      const prompts = await submit(server, asked, scope.signal)
      scope.answers(prompts.flatMap(({ answers }) => answers))
      const head = {
        ...{ id: `cmpl-${server.stamp.id()}`, object: 'text_completion' },
        ...{ created: Math.floor(server.stamp.now() / 1000), model: model.id },
        system_fingerprint: server.fingerprint,
      }
      if (asked.stream === true)
        return streamed(context, chunks(head, server, asked, prompts), scope, options)
      const reply = await whole(head, server, asked, prompts)
      scope.leave()
      return context.json(reply)
    })
  })
}

function refuseUnknown({ suffix, best_of, n = 1, stream, echo, max_tokens }: CompletionRequest): void {
  if (suffix !== undefined)
    throw unsupported('suffix', 'suffix: the models continue texts, and fill no gaps.')
  if (best_of !== undefined && best_of !== n) throw unsupported('best_of', 'best_of: expected n, or nothing.')
  if (max_tokens === 0 && (echo !== true || stream === true))
    throw invalid('max_tokens', 'max_tokens: expected 1 or more without echo or with stream, found 0.')
}

/** The prompts of a request, as they are written, and their ids. */
function promptsOf({ prompt }: CompletionRequest): readonly (string | Int32Array)[] {
  if (typeof prompt === 'string') return [prompt]
  if (typeof prompt[0] === 'number') return [Int32Array.from(prompt as number[])]
  return (prompt as (string | number[])[]).map((one) =>
    typeof one === 'string' ? one : Int32Array.from(one),
  )
}

async function submit(server: Serving, asked: CompletionRequest, signal: AbortSignal): Promise<Continued[]> {
  const { generator, models, open } = server
  const { tokenizer } = open
  const { adapter } = models.named(asked.model)
  const { n = 1, echo = false, logprobs } = asked
  const found: Continued[] = []
  const prompts = promptsOf(asked)
  const all = await Promise.all(prompts.map((prompt) => generator.encode(prompt)))
  for (const [i, ids] of all.entries()) {
    const unknown = ids.find((id) => id >= tokenizer.vocabSize)
    if (unknown !== undefined)
      throw invalid('prompt', `prompt: expected ids below ${tokenizer.vocabSize}, found ${unknown}.`)
    // An answer of no tokens has one that is left out.
    const maxTokens = Math.max(1, asked.max_tokens)
    const settings = {
      ...settingsOf(server, asked, { promptTokens: ids.length, maxTokens }),
      ...{ adapter, ...(logprobs !== undefined && { logprobs }) },
    }
    const answers: Answer[] = []
    for (let j = 0; j < n; j++) {
      const more = j === 0 && echo && logprobs !== undefined ? { promptLogprobs: logprobs } : {}
      const request = {
        ...{ signal, stream: i * n + j, behind: answers[0] },
        ...(asked.cache_salt !== undefined && { cacheSalt: asked.cache_salt }),
      }
      answers.push(await generator.submit(ids, { ...settings, ...more }, request))
    }
    const prompt = prompts[i]!
    const text = !echo ? '' : typeof prompt === 'string' ? prompt : await tokenizer.decode(ids)
    found.push({ ids, text, answers })
  }
  return found
}

/** Tokens that an answer tells of: with what ended it, so that one is there in any case. */
const toldOf = ({ logprobs = [], end }: Generation): readonly TokenLogProb[] =>
  end?.logprob ? [...logprobs, end.logprob] : logprobs

async function whole(head: object, server: Serving, asked: CompletionRequest, prompts: readonly Continued[]) {
  const { n = 1, logprobs, max_tokens } = asked
  const choices: object[] = []
  const usage = []
  for (const [i, { ids, text, answers }] of prompts.entries()) {
    const ended = await Promise.all(answers.map(({ result }) => result))
    const scored = (ended[0]!.promptLogprobs ?? []).map((token, k) => token ?? { id: ids[k]!, logprob: null })
    for (const [j, answer] of ended.entries()) {
      const isEmpty = max_tokens === 0
      const told = isEmpty ? [] : toldOf(answer)
      choices.push({
        index: i * n + j,
        text: text + (isEmpty ? '' : answer.text),
        logprobs: logprobs === undefined ? null : await textLogprobs(server.texts, [...scored, ...told]),
        finish_reason: finishReason(answer.finish),
        stop_reason: stopReason(answer, asked.stop_token_ids ?? []),
      })
    }
    usage.push(usageOf(ended, max_tokens === 0))
  }
  return { ...head, choices, usage: addUsage(usage) }
}

async function* chunks(
  head: object,
  server: Serving,
  asked: CompletionRequest,
  prompts: readonly Continued[],
): AsyncGenerator<unknown, void> {
  const { n = 1, logprobs, echo = false } = asked
  const tellsUsage = asked.stream_options?.include_usage === true
  const usage = tellsUsage ? { usage: null } : {}
  const chunk = (index: number, text: string, more: object) => ({
    ...head,
    choices: [{ index, text, logprobs: null, finish_reason: null, ...more }],
    ...usage,
  })
  const answers = prompts.flatMap((prompt) => prompt.answers)
  const ends: Generation[] = []
  const offsets = answers.map(() => 0)
  const told = async (index: number, tokens: readonly TokenLogProb[]) => {
    if (logprobs === undefined) return {}
    const found = await textLogprobs(server.texts, tokens, offsets[index])
    for (const { id } of tokens) offsets[index]! += server.texts.width(id)
    return { logprobs: found }
  }
  // The prompt is shown when its tokens are scored: with the end of its first answer where they are asked for.
  if (echo)
    for (const [i, { text, ids }] of prompts.entries()) {
      const first = logprobs === undefined ? null : (await prompts[i]!.answers[0]!.result).promptLogprobs!
      for (let j = 0; j < n; j++) {
        const index = i * n + j
        const scored = (first ?? []).map((token, k) => token ?? { id: ids[k]!, logprob: null })
        yield chunk(index, text, first === null ? {} : await told(index, scored as TokenLogProb[]))
      }
    }
  for await (const { index, piece, end } of together(answers)) {
    if (piece) {
      if (piece.text !== '' || piece.logprobs.length > 0)
        yield chunk(index, piece.text, await told(index, piece.logprobs))
    } else {
      ends[index] = end
      yield chunk(index, '', {
        ...(end.end?.logprob ? await told(index, [end.end.logprob]) : {}),
        finish_reason: finishReason(end.finish),
        stop_reason: stopReason(end, asked.stop_token_ids ?? []),
      })
    }
  }
  if (!tellsUsage) return
  const parts = prompts.map((_, i) => usageOf(ends.slice(i * n, (i + 1) * n)))
  yield { ...head, choices: [], usage: addUsage(parts) }
}
