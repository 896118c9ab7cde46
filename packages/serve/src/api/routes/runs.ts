import { join } from 'node:path'
import { readRegular } from '@ift/core'
import * as z from 'zod'
import { jsonBody } from '../../body.js'
import { eventHeaders, eventStream } from '../../wire/sse.js'
import { HttpError, httpError, invalid } from '../../wire/errors.js'
import { differenceOf } from '../difference.js'
import { removeRun, resumeRun, startRun } from '../run-actions.js'
import type { RunEvent } from '../run-events.js'
import { columnsBytes } from '../metric-columns.js'
import { metricsOf, samplesOf } from '../run-lines.js'
import type { DeleteReply, RunsReply, StartReply } from '../types.js'
import { bodyOf } from './request.js'
import type { PageRoutes } from './parts.js'

/** Runs that are compared at a time. */
const mostCompared = 8
/** Bytes of a report: curves of ten million steps have less. */
const mostReport = 64 * 1024 * 1024

const startSchema = z.strictObject({
  config: z.record(z.string(), z.unknown()),
  name: z.string().optional(),
})
const stopSchema = z.strictObject({ now: z.boolean().default(false) })
const emptySchema = z.strictObject({})

const eventText = ({ event, id, data }: RunEvent): string =>
  `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`

const bytesType = 'application/octet-stream'

/** `/api/runs`, and what lies below it. */
export const runRoutes: PageRoutes = (app, parts) => {
  const { folders, reader, processes, follower, closing, log } = parts
  app.get('/api/runs', async (context) => {
    const { rows, more } = await reader.rows()
    const reply: RunsReply = { folders: folders.shown, runs: rows, more }
    return context.json(reply)
  })
  app.post('/api/runs', async (context) => {
    const { config, name } = bodyOf(startSchema, await jsonBody(context.req.raw))
    const reply: StartReply = { id: await startRun(parts, config, name) }
    return context.json(reply, 201)
  })
  app.get('/api/runs/:id', async (context) =>
    context.json(await reader.reply(folders.find(context.req.param('id')))),
  )
  app.delete('/api/runs/:id', async (context) => {
    const reply: DeleteReply = { bytes: await removeRun(parts, folders.find(context.req.param('id'))) }
    return context.json(reply)
  })
  app.post('/api/runs/:id/stop', async (context) => {
    const { now } = bodyOf(stopSchema, await jsonBody(context.req.raw))
    await processes.stop(folders.find(context.req.param('id')).dir, now)
    return context.json({}, 202)
  })
  app.post('/api/runs/:id/resume', async (context) => {
    bodyOf(emptySchema, await jsonBody(context.req.raw))
    await resumeRun(parts, folders.find(context.req.param('id')))
    return context.json({}, 202)
  })
  app.get('/api/runs/:id/metrics', async (context) => {
    const place = folders.find(context.req.param('id'))
    const { columns, position, broken } = await metricsOf(place.dir, reader.progress(place))
    if (context.req.header('accept') === bytesType)
      return context.body(columnsBytes(columns, { position, broken }), 200, { 'content-type': bytesType })
    const { train, evaluation } = columns
    return context.json({ train: train.json(), evaluation: evaluation.json(), position, broken })
  })
  app.get('/api/runs/:id/samples', async (context) => {
    const place = folders.find(context.req.param('id'))
    return context.json(await samplesOf(place.dir, reader.progress(place)))
  })
  app.get('/api/runs/:id/difference', (context) => {
    const others = context.req.queries('with') ?? []
    if (others.length === 0 || others.length >= mostCompared)
      throw invalid('with', `with: expected 1 to ${mostCompared - 1} other runs, found ${others.length}.`)
    return context.json(differenceOf([context.req.param('id'), ...others].map((id) => folders.find(id))))
  })
  app.get('/api/runs/:id/report', async (context) => {
    const { dir } = folders.find(context.req.param('id'))
    const html = await readRegular(join(dir, 'report.html'), mostReport).catch(() => null)
    if (html === null) throw new HttpError(404, 'not_found', 'The run has no report.')
    // It is a page of its own, without scripts; in a frame without an origin it can do nothing here.
    return context.body(new Uint8Array(html), 200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    })
  })
  app.get('/api/runs/:id/events', (context) => {
    const place = folders.find(context.req.param('id'))
    const after = context.req.header('last-event-id') ?? context.req.query('after')
    const gone = new AbortController()
    const { raw } = context.req
    // A signal of several is collected with those who listen to it alone (Node 20).
    const sources = [closing, raw.signal]
    const end = () => {
      for (const source of sources) source.removeEventListener('abort', end)
      gone.abort()
    }
    for (const source of sources) source.addEventListener('abort', end, { once: true })
    if (sources.some(({ aborted }) => aborted)) end()
    const stream = eventStream(follower.follow(place, after, gone.signal), {
      ...{ ping: 15_000, patience: 60_000, event: eventText, last: '' },
      failed: (error) => {
        log(`${context.get('requestId')} events: ${error instanceof Error ? error.message : String(error)}`)
        return { event: 'gone', id: '', data: httpError(error).body }
      },
      cancel: end,
      ended: end,
    })
    return context.body(stream, 200, eventHeaders)
  })
}
