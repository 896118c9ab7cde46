import { version } from '@ift/core'
import { openApi } from '../openapi.js'
import type { Routes } from './route.js'

/** `GET /health`, `/version`, `/metrics`, `/openapi.json`. */
export const statusRoutes: Routes = (app, { serving, metrics, options }) => {
  app.get('/health', (context) => {
    if (options.withoutModel !== true) serving()
    return context.json({ status: 'ok' })
  })
  app.get('/version', (context) => context.json({ version }))
  app.get('/metrics', (context) => {
    const { generator } = serving()
    return context.text(metrics.text(generator.load), 200, {
      'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    })
  })
  app.get('/openapi.json', (context) => context.json(openApi()))
}
