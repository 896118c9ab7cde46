import { jsonBody } from '../body.js'
import type { FolderAdapters } from '../adapters.js'
import { adapterRequest } from '../schema/adapter.js'
import { readRequest } from '../schema/read.js'
import type { Serving } from '../serving.js'
import { HttpError, unsupported } from '../wire/errors.js'
import { shownModel } from './models.js'
import type { Routes, ServeContext } from './route.js'
import { underWay } from './under-way.js'

/**
 * `POST /v1/load_lora_adapter` and `POST /v1/unload_lora_adapter`, as vLLM has them: an adapter of the server's folder, by its name. A reply
 * to the second comes when the last answer of the adapter has ended.
 */
export const adapterRoutes: Routes = (app, { serving, enter, unused, options }) => {
  const asked = async (context: ServeContext, server: Serving): Promise<[FolderAdapters, string]> => {
    const { value, ignored } = readRequest(
      adapterRequest,
      await jsonBody(context.req.raw),
      options.strict ?? false,
    )
    context.set('ignored', ignored)
    if (value.lora_path !== undefined)
      throw unsupported('lora_path', 'lora_path: adapters are loaded by their names, and no path is taken.')
    if (server.adapters === null || options.adapters === undefined)
      throw new HttpError(
        404,
        'not_found',
        'The server was started without a folder of adapters: --adapters DIR',
      )
    return [server.adapters, value.lora_name]
  }
  app.post('/v1/load_lora_adapter', async (context) => {
    const server = serving()
    const [adapters, name] = await asked(context, server)
    const scope = enter(context)
    return underWay(scope, async () => {
      try {
        await adapters.load(name)
      } catch (error) {
        if (error instanceof HttpError && error.cause instanceof Error)
          options.log?.(`${context.get('requestId')} ${name}: ${error.cause.message}`)
        throw error
      }
      scope.leave()
      return context.json(shownModel(server, server.models.named(name)))
    })
  })
  app.post('/v1/unload_lora_adapter', async (context) => {
    const server = serving()
    const [adapters, name] = await asked(context, server)
    const scope = enter(context)
    return underWay(scope, async () => {
      await adapters.unload(name, () => unused(name))
      scope.leave()
      return context.json({ id: name, object: 'model', deleted: true })
    })
  })
}
