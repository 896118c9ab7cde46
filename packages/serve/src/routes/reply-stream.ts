import { httpError } from '../wire/errors.js'
import { eventHeaders, eventStream } from '../wire/sse.js'
import type { ServeOptions } from '../options.js'
import type { RequestScope, ServeContext } from './route.js'

/** A reply in pieces; the request is over when the stream has ended. */
export function streamed(
  context: ServeContext,
  values: AsyncIterable<unknown>,
  scope: RequestScope,
  { ping = 15_000, patience = 60_000 }: ServeOptions,
): Response {
  const stream = eventStream(values, {
    ...{ ping, patience },
    failed: (error) => {
      scope.failed(error)
      return httpError(error).body
    },
    cancel: () => {
      scope.gone()
      scope.cancel(new DOMException('The client went away.', 'AbortError'))
      // Of what it has not taken, nothing is written any more.
      context.env.outgoing?.destroy()
    },
    ended: () => {
      scope.leave()
    },
  })
  return new Response(stream, { headers: eventHeaders })
}
