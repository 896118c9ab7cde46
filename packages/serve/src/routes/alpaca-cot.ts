import { z } from 'zod'
import { AnswerText } from '@ift/core'
import { jsonBody } from '../body.js'
import { readRequest } from '../schema/read.js'
import { HttpError } from '../wire/errors.js'
import type { Routes } from './route.js'
import { underWay } from './under-way.js'

const request = z.object({ prompt: z.string().min(1).describe('An instruction.') })

/** "2026-11-30 15:04:05", the time of this place. */
const localTime = (ms: number): string => {
  const two = (value: number) => String(value).padStart(2, '0')
  const at = new Date(ms)
  const date = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-')
  return `${date} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')}`
}

/**
 * The paths of Alpaca-CoT's web.py: `GET /`, and `POST /` with an instruction, answered with the settings of `generate` in the config.
 * `GET /query/…` is refused: any page that is open on this machine could let the model run with it.
 */
export const alpacaCotRoutes: Routes = (app, { serving, enter, options }) => {
  app.get('/', (context) => context.json({ Hello: 'World' }))
  app.all('/query/*', () => {
    throw new HttpError(
      405,
      'method_not_allowed',
      'GET /query/… lets any page run the model: POST / {"prompt": "…"} instead.',
      {
        headers: { allow: 'POST', 'x-should-retry': 'false' },
      },
    )
  })
  app.post('/', async (context) => {
    const { ift, generator, models, stamp } = serving()
    const { value, ignored } = readRequest(request, await jsonBody(context.req.raw), options.strict ?? false)
    context.set('ignored', ignored)
    context.set('model', models.base.id)
    const scope = enter(context)
    return underWay(scope, async () => {
      const prompt = { instruction: value.prompt, input: '' }
      const answer = await generator.submit(prompt, ift.config.generate, { signal: scope.signal })
      scope.answers([answer])
      const { text } = AnswerText.of(prompt, await answer.result)
      scope.leave()
      return context.json({ response: text, status: 200, time: localTime(stamp.now()) })
    })
  })
}
