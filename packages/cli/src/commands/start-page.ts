import { spawn } from 'node:child_process'
import { basename, dirname } from 'node:path'
import type { Ift, SessionRequest, VerbTerminal } from '@ift/core'
import { openBrowser } from '../ui/open-browser.js'

/** Milliseconds for the server to say where it is. */
const patience = 20_000

/** Throws `IFT_PLUGIN_NOT_FOUND` where no package serves the page. */
export function requirePage(ift: Ift): void {
  if (!ift.provides('verb', 'serve')) throw ift.notFound('verb', 'serve', [])
}

/**
 * Shows a run in a browser: `ift serve` as a process of its own session, so that neither its end nor its load is the run's, and Ctrl-C reaches the
 * run alone. It ends by itself when the run has ended and nobody watches. What keeps it from starting is noted, and the run goes on.
 */
export async function startPage(
  runDir: string,
  { configFile }: Pick<SessionRequest, 'configFile'>,
  terminal: Pick<VerbTerminal, 'note'>,
): Promise<void> {
  const args = [
    ...process.execArgv,
    process.argv[1]!,
    'serve',
    ...[
      '--no-model',
      '--port',
      '0',
      '--quiet',
      '--runs',
      dirname(runDir),
      '--while-runs',
      String(process.pid),
    ],
    ...(configFile === undefined || configFile === '-' ? [] : ['--config', configFile]),
  ]
  const child = spawn(process.execPath, args, {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const page = await new Promise<string | null>((resolve) => {
    const timer = setTimeout(() => {
      resolve(null)
    }, patience)
    const end = (found: string | null) => {
      clearTimeout(timer)
      resolve(found)
    }
    child.once('message', (message) => {
      const { page: found } = Object(message) as { readonly page?: unknown }
      end(typeof found === 'string' ? found : null)
    })
    child.once('error', () => {
      end(null)
    })
    child.once('exit', () => {
      end(null)
    })
  })
  if (child.connected) child.disconnect()
  child.unref()
  if (page === null) {
    terminal.note('The page could not be shown; see why: npx ift serve --no-model')
    return
  }
  const address = `${page}/runs/${encodeURIComponent(basename(runDir))}`
  terminal.note(`Page: ${address}`)
  openBrowser(address)
}
