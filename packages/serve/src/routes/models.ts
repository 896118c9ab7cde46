import type { ServedModel } from '../models.js'
import type { Serving } from '../serving.js'
import { HttpError } from '../wire/errors.js'
import type { Routes } from './route.js'

/** A model as a client sees it. */
export const shownModel = ({ open, models, generator, started }: Serving, { id, adapter }: ServedModel) => ({
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
  app.get('/v1/models', (context) => {
    const server = serving()
    const data = server.models.list().map((model) => shownModel(server, model))
    return context.json({ object: 'list', data })
  })
  app.get('/v1/models/:id{.+}', (context) => {
    const server = serving()
    const id = context.req.param('id')
    if (id === '') throw new HttpError(404, 'not_found', 'There is no such path.')
    return context.json(shownModel(server, server.models.named(id)))
  })
}
