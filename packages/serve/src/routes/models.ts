import type { ServedModel } from '../models.js'
import type { Serving } from '../serving.js'
import { HttpError } from '../wire/errors.js'
import type { Routes } from './route.js'

const shown =
  ({ open, models, generator }: Serving, started: number) =>
  ({ id, adapter }: ServedModel) => ({
    id,
    object: 'model',
    created: started,
    owned_by: 'ift',
    ...(id !== models.base.id && { parent: models.base.id }),
    max_model_len:
      (open.shape.maxPositions ?? 0) === 0
        ? null
        : open.shape.maxPositions! - generator.virtualOf(adapter).places,
    template: open.template.name,
  })

/** `GET /v1/models` and `GET /v1/models/{id}`: the base and its adapters. */
export const modelRoutes: Routes = (app, { serving }) => {
  const started = Math.floor(Date.now() / 1000)
  app.get('/v1/models', (context) => {
    const server = serving()
    return context.json({ object: 'list', data: server.models.list().map(shown(server, started)) })
  })
  app.get('/v1/models/:id{.+}', (context) => {
    const server = serving()
    const id = context.req.param('id')
    if (id === '') throw new HttpError(404, 'not_found', 'There is no such path.')
    return context.json(shown(server, started)(server.models.named(id)))
  })
}
