import { z } from 'zod'
import { jsonBody } from '../body.js'
import { messageOf } from '../messages.js'
import { message, templateVariables } from '../schema/chat.js'
import { readRequest } from '../schema/read.js'
import type { Serving } from '../serving.js'
import { variablesOf } from '../template-variables.js'
import { invalid } from '../wire/errors.js'
import type { Routes } from './route.js'

export const tokenizeRequest = z.object({
  model: z.string().optional(),
  prompt: z.string().optional(),
  content: z.string().optional().describe("llama.cpp's word for prompt."),
  messages: z.array(message).min(1).optional(),
  chat_template_kwargs: templateVariables.optional(),
  add_special_tokens: z.boolean().default(true).describe('With what the tokenizer puts around a text.'),
  add_generation_prompt: z.boolean().default(true),
  return_token_strs: z.boolean().optional(),
})

export const detokenizeRequest = z.object({
  model: z.string().optional(),
  tokens: z.array(z.int().min(0)).describe('Ids.'),
})

async function idsOf({ generator, open }: Serving, asked: z.output<typeof tokenizeRequest>) {
  const text = asked.prompt ?? asked.content
  if (asked.messages && text === undefined) {
    if (!asked.add_generation_prompt)
      throw invalid(
        'add_generation_prompt',
        'add_generation_prompt: expected true; messages are encoded as they are answered.',
      )
    const { example } = variablesOf(open, asked)
    return generator.encode({ messages: asked.messages.map(messageOf), ...example })
  }
  if (text === undefined || asked.messages)
    throw invalid(
      'prompt',
      `prompt: expected a text or messages, found ${text === undefined ? 'neither' : 'both'}.`,
    )
  return asked.add_special_tokens ? generator.encode(text) : (await open.tokenizer.encode(text)).ids
}

/** `POST /tokenize`, `POST /detokenize` and `GET /tokenizer_info`, as vLLM has them; lm-evaluation-harness needs all three. */
export const tokenizerRoutes: Routes = (app, { serving, options }) => {
  app.post('/tokenize', async (context) => {
    const server = serving()
    const { value: asked, ignored } = readRequest(
      tokenizeRequest,
      await jsonBody(context.req.raw),
      options.strict ?? false,
    )
    server.models.named(asked.model)
    context.set('ignored', ignored)
    const tokens = [...(await idsOf(server, asked))]
    if (asked.return_token_strs === true) await server.texts.learn(tokens)
    return context.json({
      ...{ count: tokens.length, max_model_len: server.open.shape.maxPositions, tokens },
      ...(asked.return_token_strs === true && { token_strs: tokens.map((id) => server.texts.text(id)) }),
    })
  })
  app.post('/detokenize', async (context) => {
    const server = serving()
    const { value: asked, ignored } = readRequest(
      detokenizeRequest,
      await jsonBody(context.req.raw),
      options.strict ?? false,
    )
    server.models.named(asked.model)
    context.set('ignored', ignored)
    const { tokenizer } = server.open
    const unknown = asked.tokens.find((id) => id >= tokenizer.vocabSize)
    if (unknown !== undefined)
      throw invalid('tokens', `tokens: expected ids below ${tokenizer.vocabSize}, found ${unknown}.`)
    return context.json({ prompt: await tokenizer.decode(asked.tokens, { specials: true }) })
  })
  app.get('/tokenizer_info', (context) => {
    const { open } = serving()
    const { tokenizer } = open
    const texts = new Map([...tokenizer.specials].map(([text, id]) => [id, text]))
    const text = (id: number | null) => (id === null ? null : (texts.get(id) ?? tokenizer.token(id) ?? null))
    const pad = tokenizer.named?.get('pad_token')
    return context.json({
      ...{ eos_token: text(tokenizer.eosId), bos_token: text(tokenizer.bosId) },
      ...{ pad_token: typeof pad === 'string' ? pad : null, chat_template: tokenizer.chatTemplate },
      ...{ vocab_size: tokenizer.vocabSize, max_model_len: open.shape.maxPositions },
    })
  })
}
