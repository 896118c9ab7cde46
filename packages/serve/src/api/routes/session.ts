import * as z from 'zod'
import { jsonBody } from '../../body.js'
import { HttpError } from '../../wire/errors.js'
import type { Gate } from '../../security.js'
import type { ServeApp } from '../../routes/route.js'
import { bodyOf } from './request.js'

const schema = z.strictObject({ token: z.string().max(200) })

/** `/api/session`: exchanges the token of the address for a cookie, and takes that away. The one path of the page without a token. */
export function sessionRoutes(app: ServeApp, gate: () => Gate): void {
  app.post('/api/session', async (context) => {
    const { token } = bodyOf(schema, await jsonBody(context.req.raw))
    if (!gate().isToken(token))
      throw new HttpError(401, 'invalid_api_key', 'The token is of another server, or old.', {
        type: 'authentication_error',
        hint: 'Open the address that the terminal printed.',
      })
    return context.body(null, 204, { 'set-cookie': gate().cookie(token) })
  })
  app.delete('/api/session', (context) => context.body(null, 204, { 'set-cookie': gate().cookie('', 0) }))
}
