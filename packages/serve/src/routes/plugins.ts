import { IftError, type RouteDefinition } from '@ift/core'
import type { Routes } from './route.js'

/** Paths that plugins of the session add by the hook `routes`, under `/api/x/NAME`. */
export const pluginRoutes: Routes = (app, { ift }) => {
  const add = (route: RouteDefinition) => {
    const { method, path } = route
    if (!/^\/api\/x\/[\w-]+(\/[\w.-]+)*$/.test(path))
      throw new IftError(
        'IFT_PLUGIN_INVALID',
        `A path of a plugin expected /api/x/NAME or one below it, found ${JSON.stringify(path)}.`,
        'Letters, digits, and . _ - between the slashes.',
      )
    app.on(method, path, (context) => route.run(context.req.raw))
  }
  ift.hooks.routes.call({ add })
}
