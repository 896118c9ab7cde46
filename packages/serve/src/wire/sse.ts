/** Bytes that wait for a reader; no more events are written before it has taken them. */
const mostWaiting = 64 * 1024

export interface EventStreamOptions {
  /** Milliseconds of silence after which a comment is sent, so that nobody on the way takes the connection for dead. */
  readonly ping: number
  /** Milliseconds for which a reader may take nothing, while there is something to take. */
  readonly patience: number
  /** What an error is told as; the stream ends behind it. */
  readonly failed: (error: unknown) => unknown
  /** The reader is gone, or took nothing for too long: ends what makes the values. */
  readonly cancel: () => void
  /** A value as the lines of an event; `data: JSON` when absent. */
  readonly event?: (value: never) => string
  /** What the last value is followed by; `data: [DONE]` when absent. */
  readonly last?: string
  /** The stream has ended, however; called once. */
  readonly ended: () => void
}

export const eventHeaders = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
}

/**
 * Server-sent events of values (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 * A slow reader keeps 64 KiB of text waiting, and is dropped in the end.
 */
export function eventStream(
  values: AsyncIterable<unknown>,
  {
    ping,
    patience,
    failed,
    cancel,
    ended: onEnd,
    event = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`,
    last = 'data: [DONE]\n\n',
  }: EventStreamOptions,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let timer: NodeJS.Timeout | undefined
  let ended = false
  /** Resolves when the reader has room again. */
  let roomy: (() => void) | null = null
  const end = () => {
    if (ended) return
    ended = true
    clearTimeout(timer)
    onEnd()
  }
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const listenOn = () => {
          clearTimeout(timer)
          timer = setTimeout(() => {
            if ((controller.desiredSize ?? 0) > 0) write(': ping\n\n')
          }, ping)
        }
        const write = (text: string) => {
          if (ended) return
          controller.enqueue(encoder.encode(text))
          listenOn()
        }
        listenOn()
        const hasRoom = async () => {
          // Nobody makes room in a stream that has ended.
          if (ended || (controller.desiredSize ?? 1) > 0) return
          const late = setTimeout(() => {
            end()
            roomy?.()
            cancel()
            controller.error(new Error('The reader took nothing for too long.'))
          }, patience)
          await new Promise<void>((resolve) => (roomy = resolve))
          clearTimeout(late)
        }
        const run = async () => {
          try {
            for await (const value of values) {
              await hasRoom()
              write(event(value as never))
              if (ended) return
            }
            if (last !== '') write(last)
          } catch (error) {
            write(`data: ${JSON.stringify(failed(error))}\n\n`)
          }
          if (ended) return
          end()
          controller.close()
        }
        void run()
      },
      pull() {
        roomy?.()
        roomy = null
      },
      cancel() {
        end()
        roomy?.()
        cancel()
      },
    },
    { highWaterMark: mostWaiting, size: (bytes) => bytes.byteLength },
  )
}
