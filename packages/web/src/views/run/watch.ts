import { batch, signal, type ReadonlySignal, type Signal } from '@preact/signals'
import { ApiError, getJson } from '../../api/client.js'
import { readMetrics } from '../../api/metrics.js'
import { listen, type EventsState, type Listening } from '../../api/events.js'
import type { MetricLine, RunEvents, RunReply, SampleRow, SamplesReply } from '../../api/types.js'
import { paced } from '../../components/chart/paced.js'
import { MetricColumns } from './columns.js'

/** A run as it is watched. */
export interface Watched {
  readonly run: ReadonlySignal<RunReply | null>
  readonly train: ReadonlySignal<MetricColumns>
  readonly evaluation: ReadonlySignal<MetricColumns>
  readonly samples: ReadonlySignal<readonly SampleRow[]>
  /** Goes up when values came, at most four times a second: the columns grow in place. */
  readonly version: ReadonlySignal<number>
  /** Lines that could not be read. */
  readonly broken: ReadonlySignal<number>
  readonly connection: ReadonlySignal<EventsState>
  /** When the newest value came, in milliseconds since 1970. */
  readonly heard: ReadonlySignal<number>
  readonly problem: ReadonlySignal<ApiError | null>
  readonly gone: ReadonlySignal<boolean>
  readonly tryNow: () => void
  /** Reads what no event tells: config, plan, checkpoints, result. */
  refresh(): void
  close(): void
}

const names = ['begin', 'step', 'evaluation', 'sample', 'checkpoint', 'state', 'reset', 'gone'] as const

/** Reads a run, and follows its events from where that ended. */
export function watchRun(id: string): Watched {
  const path = `/api/runs/${encodeURIComponent(id)}`
  const run = signal<RunReply | null>(null)
  const train = signal(new MetricColumns())
  const evaluation = signal(new MetricColumns())
  const samples = signal<readonly SampleRow[]>([])
  const version = signal(0)
  const broken = signal(0)
  const connection = signal<EventsState>({ kind: 'open' })
  const heard = signal(Date.now())
  const problem = signal<ApiError | null>(null)
  const gone = signal(false)
  let listening: Listening | null = null
  let closed = false
  /** Readings are numbered: what a reset overtook is not taken. */
  let reading = 0

  const changed = paced(() => {
    version.value++
  })
  const details = paced(() => {
    void getJson<RunReply>(path).then(
      (reply) => {
        if (!closed) run.value = reply
      },
      // The events tell when the server is gone; the next change asks again.
      () => undefined,
    )
  }, 1000)

  const on = (name: string, data: unknown) => {
    heard.value = Date.now()
    switch (name as keyof RunEvents) {
      case 'begin':
        merge((data as RunEvents['begin']).row)
        return
      case 'step':
        train.value.append(data as MetricLine)
        advance((data as MetricLine).step)
        changed.ask()
        return
      case 'evaluation':
        evaluation.value.append(data as MetricLine)
        changed.ask()
        return
      case 'sample':
        samples.value = [...samples.value, data as SampleRow]
        return
      case 'checkpoint':
        details.ask()
        return
      case 'state':
        merge(data as RunEvents['state'])
        details.ask()
        return
      case 'reset':
        void read()
        return
      case 'gone':
        gone.value = true
        listening?.close()
    }
  }
  const merge = (row: RunEvents['state']) => {
    if (run.value !== null) run.value = { ...run.value, ...row }
  }
  const advance = (step: number) => {
    if (run.value !== null && (run.value.step ?? 0) < step) run.value = { ...run.value, step }
  }

  async function read(): Promise<void> {
    const own = ++reading
    const isOver = () => closed || own !== reading
    listening?.close()
    listening = null
    try {
      const answers = getJson<SamplesReply>(`${path}/samples`)
      // Its error is met below, when the curves are drawn.
      answers.catch(() => undefined)
      const [reply, metrics] = await Promise.all([getJson<RunReply>(path), readMetrics(id)])
      if (isOver()) return
      problem.value = null
      batch(() => {
        run.value = reply
        train.value = new MetricColumns(metrics.train)
        evaluation.value = new MetricColumns(metrics.evaluation)
        broken.value = metrics.broken
        version.value++
      })
      const { samples: found } = await answers
      if (isOver()) return
      samples.value = found
      listening = listen(`${path}/events`, {
        names,
        after: metrics.position,
        onEvent: on,
        onState: (state) => {
          connection.value = state
        },
      })
    } catch (error) {
      if (isOver()) return
      problem.value =
        error instanceof ApiError
          ? error
          : new ApiError(0, null, error instanceof Error ? error.message : String(error))
    }
  }
  void read()
  return {
    ...{ run, train, evaluation, samples, version, broken, connection, heard, problem, gone },
    tryNow: () => {
      if (listening === null) void read()
      else listening.tryNow()
    },
    refresh: () => {
      details.ask()
    },
    close: () => {
      closed = true
      changed.stop()
      details.stop()
      listening?.close()
    },
  }
}

/** Seconds since 1970 by a clock that the view looks at, once a second. */
export function ticking(every = 1000): { readonly now: Signal<number>; stop(): void } {
  const now = signal(Date.now())
  const timer = setInterval(() => {
    now.value = Date.now()
  }, every)
  return {
    now,
    stop: () => {
      clearInterval(timer)
    },
  }
}
