import { processStart } from '@ift/core'

/** Names the process that started this one as a rank: its id, and when it started. */
const variable = 'IFT_STARTER'

/** Milliseconds between two looks at the starter. */
const interval = 500

/** For the environment of ranks that this process starts. */
export const namedStarter = (): NodeJS.ProcessEnv => ({
  [variable]: `${process.pid} ${processStart(process.pid) ?? ''}`,
})

/**
 * Ends this rank when the process that started it is gone: nothing could stop the rank any more, and a resumed run
 * would meet it in the same folder. This does not depend on the launcher between the two.
 */
export function watchStarter(
  onGone: () => void,
  env: NodeJS.ProcessEnv = process.env,
  every = interval,
): void {
  const named = env[variable]
  if (named === undefined) return
  const [pid = '', ...started] = named.split(' ')
  const timer = setInterval(() => {
    const found = processStart(Number(pid))
    if (found === started.join(' ')) return
    clearInterval(timer)
    onGone()
  }, every)
  timer.unref()
}
