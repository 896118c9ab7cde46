import { spawn } from 'node:child_process'

/** The program that opens an address on a system; null where nobody would see it. */
function opener(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): readonly [string, ...string[]] | null {
  if (platform === 'darwin') return ['open']
  // An address has no space or quote, and `start` takes the first quoted word for a title.
  if (platform === 'win32') return ['cmd', '/c', 'start', '']
  return env['DISPLAY'] || env['WAYLAND_DISPLAY'] ? ['xdg-open'] : null
}

/** Opens an address in the user's browser, where there is a display; nothing happens where that fails. */
export function openBrowser(
  address: string,
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): boolean {
  const found = opener(env, platform)
  if (found === null) return false
  const [command, ...args] = found
  const child = spawn(command, [...args, address], { detached: true, stdio: 'ignore', env })
  child.on('error', () => undefined)
  child.unref()
  return true
}
