import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Call {
  readonly path: string
  readonly authorization: string | undefined
  readonly body: {
    model: string
    messages: { role: string; content: string }[]
    temperature: number
    seed: number
    max_tokens: number
  }
}

/** What a call is answered with: a text of the judge, or anything else by hand. */
export type Act = string | ((response: ServerResponse, call: Call) => void)

/** A chat completion with this text. */
export const completionOf = (text: string) => ({
  choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: text } }],
  usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
})

export interface ScriptedJudge {
  readonly url: string
  readonly calls: readonly Call[]
  /** Most calls that were open at a time. */
  readonly mostOpen: () => number
  close(): Promise<void>
}

async function bodyOf(request: IncomingMessage): Promise<Call['body']> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  return JSON.parse(Buffer.concat(pieces).toString('utf8')) as Call['body']
}

/** A server that acts as told, call by call; the last act goes on. */
export async function scriptedJudge(acts: readonly [Act, ...Act[]], delayMs = 0): Promise<ScriptedJudge> {
  const calls: Call[] = []
  let [open, mostOpen] = [0, 0]
  const server = createServer((request, response) => {
    mostOpen = Math.max(mostOpen, ++open)
    response.on('close', () => open--)
    void bodyOf(request).then((body) => {
      const call = { path: request.url ?? '', authorization: request.headers.authorization, body }
      const act = acts[Math.min(calls.length, acts.length - 1)]!
      calls.push(call)
      setTimeout(() => {
        if (typeof act === 'string') {
          response.setHeader('content-type', 'application/json')
          response.end(JSON.stringify(completionOf(act)))
        } else act(response, call)
      }, delayMs)
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    calls,
    mostOpen: () => mostOpen,
    close: async () => {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  }
}
