import * as z from 'zod'
import { jsonBody } from '../../body.js'
import { commandOf } from '../command.js'
import { schemaReply } from '../form.js'
import type { PageRoutes } from './parts.js'
import { bodyOf } from './request.js'

const config = z.record(z.string(), z.unknown())
const planSchema = z.strictObject({ config, quick: z.boolean().default(false) })
const commandSchema = z.strictObject({ config })

/** `/api/schema`, `/api/plan`, `/api/command`: what a new run is made with. */
export const newRunRoutes: PageRoutes = (app, { ift, folders, planner, reader }) => {
  app.get('/api/schema', async (context) => context.json(await schemaReply(ift, folders)))
  app.post('/api/plan', async (context) => {
    const { config, quick } = bodyOf(planSchema, await jsonBody(context.req.raw))
    const runs = async () => (await reader.rows()).rows
    return context.json(await planner.plan(ift, config, { quick, runs, signal: context.req.raw.signal }))
  })
  app.post('/api/command', async (context) =>
    context.json(commandOf(bodyOf(commandSchema, await jsonBody(context.req.raw)).config)),
  )
}
