import { signal } from '@preact/signals'
import { ApiError, postJson } from '../api/client.js'
import { watchConnection } from './connection.js'
import { watchKeys } from './keys.js'
import { watchLanguage } from './language.js'
import { watchRoute } from './routes.js'
import { watchTabs } from './tabs.js'
import { watchTheme } from './theme.js'

/** Whether the page may ask the server: the token of the address was taken, or a cookie of before holds. */
export const isEntered = signal(false)

/**
 * Begins: the token behind `#t=` in the address that the terminal printed is exchanged for a cookie, and leaves the address at once, so
 * that it stays in no history.
 */
export async function enter(): Promise<void> {
  watchTheme()
  watchLanguage()
  watchKeys()
  const [, token] = /^#t=([\w-]+)/.exec(location.hash) ?? []
  if (token !== undefined) history.replaceState(null, '', `${location.pathname}#/chat`)
  watchRoute()
  watchTabs()
  if (token !== undefined)
    await postJson('/api/session', { token }).catch((error: unknown) => {
      // What is wrong with it shows in the next request, where a cookie of before may still hold.
      if (!(error instanceof ApiError)) throw error
    })
  isEntered.value = true
  watchConnection()
}
