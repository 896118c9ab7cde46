import { existsSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { jsonBody } from '../../body.js'
import { HttpError } from '../../wire/errors.js'
import { shortName } from '../run-documents.js'
import type { AdapterRow, AdaptersReply } from '../types.js'
import { bodyOf } from './request.js'
import type { PageRoutes } from './parts.js'

/** Checkpoints of a reply. */
const mostListed = 200

const schema = z.strictObject({ run: z.string().max(128), step: z.int().min(0) })

const adapterOf = (dir: string, step: number) => join(dir, 'checkpoints', `step-${step}`, 'adapter')

/** `/api/adapters`: checkpoints of runs as adapters of the model that is served. */
export const adapterRoutes: PageRoutes = (app, { reader, folders, model, log }) => {
  app.get('/api/adapters', async (context) => {
    const serving = model()?.serving ?? null
    const adapters: AdapterRow[] = []
    const base = serving === null ? null : shortName(serving.open.name)
    for (const row of serving === null ? [] : (await reader.rows()).rows) {
      if (adapters.length >= mostListed) break
      if (row.base !== base || row.method === 'none' || row.state === 'unreadable') continue
      const place = folders.find(row.id)
      for (const { step, best, loss, model: served } of reader.checkpoints(place).reverse())
        if (existsSync(join(adapterOf(place.dir, step), 'adapter_config.json')))
          adapters.push({ run: row.id, name: row.name, step, best, loss, model: served })
    }
    const reply: AdaptersReply = {
      adapters: adapters.slice(0, mostListed),
      canLoad: serving !== null && serving.adapters !== null,
    }
    return context.json(reply)
  })
  app.post('/api/adapters', async (context) => {
    const { run, step } = bodyOf(schema, await jsonBody(context.req.raw))
    const place = folders.find(run)
    const found = reader.checkpoints(place).find((one) => one.step === step)
    if (found === undefined)
      throw new HttpError(404, 'not_found', `The run ${run} has no checkpoint of step ${step}.`)
    if (found.model !== null) return context.json({ model: found.model })
    const serving = model()?.serving ?? null
    if (serving === null)
      throw new HttpError(503, 'no_model', 'No model is open that an adapter could be loaded over.')
    if (serving.adapters === null)
      throw new HttpError(409, 'adapters_closed', 'The model was opened with one adapter for all requests.', {
        hint: `Start the server with a name for it: npx ift serve --adapter NAME=DIR`,
      })
    const name = `${run.slice(0, 48)}-${step}`
    try {
      await serving.adapters.loadFrom(name, adapterOf(place.dir, step))
    } catch (error) {
      if (!(error instanceof HttpError) || !(error.cause instanceof Error)) throw error
      log(`${context.get('requestId')} ${name}: ${error.cause.message}`)
      // Who has the token of the page may read what the log says.
      throw new HttpError(error.status, error.code, error.cause.message, { cause: error.cause })
    }
    return context.json({ model: name })
  })
}
