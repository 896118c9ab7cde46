import * as z from 'zod'
import { jsonBody } from '../../body.js'
import { bodyOf, numberOf } from './request.js'
import type { PageRoutes } from './parts.js'

const columnsSchema = z.strictObject({
  entry: z.int().min(0).max(10_000),
  format: z.string().max(40),
  columns: z.record(z.string().max(40), z.string().max(1000)),
})

/** `/api/data`, and what lies below it. */
export const dataRoutes: PageRoutes = (app, { data }) => {
  app.get('/api/data', async (context) => context.json({ sets: await data.list() }))
  app.get('/api/data/:name', (context) => {
    const state = data.view(context.req.param('name')).state()
    return context.json(state, 'reading' in state ? 202 : 200)
  })
  app.post('/api/data/:name/columns', async (context) => {
    data.map(context.req.param('name'), bodyOf(columnsSchema, await jsonBody(context.req.raw)))
    return context.body(null, 204)
  })
  app.get('/api/data/:name/rows', (context) => {
    const { req } = context
    const view = data.view(req.param('name'))
    const size = Math.max(1, numberOf('size', req.query('size'), 50, 200))
    return context.json(
      view.page({
        ...{ page: numberOf('page', req.query('page'), 0, 1e6), size },
        filter: (req.query('filter') ?? '').slice(0, 1000),
        source: req.query('source') ?? null,
        reason: req.query('reason') ?? null,
        tag: req.query('tag') ?? null,
        from: numberOf('from', req.query('from'), 0, 1e9),
        to: numberOf('to', req.query('to'), 1e9, 1e9),
      }),
    )
  })
  app.get('/api/data/:name/rows/:row', async (context) => {
    const { req } = context
    const view = data.view(req.param('name'))
    return context.json(
      await view.row(numberOf('row', req.param('row'), 0, 1e9), numberOf('from', req.query('from'), 0, 1e9)),
    )
  })
}
