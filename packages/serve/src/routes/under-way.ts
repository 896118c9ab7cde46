import type { RequestScope } from './route.js'

/**
 * Replies to a request that was entered. An error ends what of it still runs; where the request had ended before, by its client or by the
 * server, it is logged. Whoever makes the reply leaves the scope when that has ended.
 */
export async function underWay(scope: RequestScope, reply: () => Promise<Response>): Promise<Response> {
  try {
    return await reply()
  } catch (error) {
    if (scope.signal.aborted) scope.failed(error)
    scope.cancel(error)
    scope.leave()
    throw error
  }
}
