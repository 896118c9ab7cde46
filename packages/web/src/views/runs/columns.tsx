import { remove } from '../../api/client.js'
import { faultLine, faultOf, type Fault } from '../../app/faults.js'
import type { DeleteReply, RunRow } from '../../api/types.js'
import { language } from '../../app/language.js'
import { pathOf } from '../../app/routes.js'
import { IconButton } from '../../components/button.js'
import { mostSeries } from '../../components/chart/series.js'
import { ask } from '../../components/dialog.js'
import { StatePill } from '../../components/state-pill.js'
import { Checkbox } from '../../components/switch.js'
import { type Column } from '../../components/table.js'
import { toast } from '../../components/toast.js'
import { bytes, gib, loss, middle, missing, rate, whole } from '../../format/numbers.js'
import { duration, moment } from '../../format/time.js'
import { methodName } from './method.js'
import { readRuns } from './list.js'
import { selected, toggle } from './selection.js'
import { isLive, pillOf } from './state.js'
import { text } from './text.js'

/** Columns of the table of runs. The best loss is marked where all runs have the same validation rows. */
export function columnsOf(comparable: boolean, onFailure: (fault: Fault) => void): readonly Column<RunRow>[] {
  const words = text()
  const now = new Date()
  const figure = (
    key: 'rate' | 'tokensPerSecond' | 'peak' | 'time' | 'size',
    field: 'learningRate' | 'tokensPerSecond' | 'peakMemory' | 'seconds' | 'bytes',
    shown: (value: number | null) => string,
  ): Column<RunRow> => ({
    ...{ key, head: words[key], align: 'right', sort: (run) => run[field] },
    cell: (run) => shown(run[field]),
  })
  return [
    {
      key: 'run',
      head: words.run,
      sort: (run) => run.name,
      cell: (run) => (
        <span class="runs-name">
          <SelectBox run={run} />
          <a href={pathOf('run', run.id)} title={run.name} data-run={run.id}>
            {middle(run.name, 34)}
          </a>
        </span>
      ),
    },
    {
      key: 'state',
      head: words.state,
      sort: (run) => run.state,
      cell: (run) => (
        <span title={run.error?.message}>
          <StatePill {...pillOf(run)} />
          {isLive(run) && run.totalSteps !== null && (
            <span class="runs-faint">
              {' '}
              {whole(run.step)}/{whole(run.totalSteps)}
            </span>
          )}
          {run.state === 'unreadable' && (
            <span class="runs-reason"> {run.error && faultLine(run.error)}</span>
          )}
        </span>
      ),
    },
    {
      key: 'base',
      head: words.base,
      sort: (run) => run.base,
      cell: (run) => <span title={run.base ?? undefined}>{middle(run.base ?? missing, 22)}</span>,
    },
    {
      key: 'method',
      head: words.method,
      sort: (run) => (run.method === null ? null : `${run.method} ${run.rank ?? ''}`),
      cell: (run) => (
        <>
          {run.method === null ? missing : methodName(run.method)}
          {run.rank !== null && <span class="runs-faint"> r {run.rank}</span>}
        </>
      ),
    },
    {
      key: 'data',
      head: words.data,
      sort: (run) => run.data.join(' '),
      cell: (run) => <span title={run.data.join(', ')}>{middle(run.data.join(' + ') || missing, 22)}</span>,
    },
    figure('rate', 'learningRate', rate),
    {
      key: 'bits',
      head: words.bits,
      sort: (run) => run.quantize,
      cell: (run) => (run.quantize === null || run.quantize === 'none' ? missing : run.quantize),
    },
    {
      key: 'bestLoss',
      head: words.bestLoss,
      align: 'right',
      sort: (run) => run.bestEval?.loss ?? null,
      ...(comparable && { best: 'low' as const }),
      cell: (run) => loss(run.bestEval?.loss),
    },
    {
      key: 'atStep',
      head: words.atStep,
      align: 'right',
      sort: (run) => run.bestEval?.step ?? run.step,
      cell: (run) => <span class="runs-faint">{whole(run.bestEval?.step ?? run.step)}</span>,
    },
    figure('tokensPerSecond', 'tokensPerSecond', whole),
    figure('peak', 'peakMemory', gib),
    figure('time', 'seconds', duration),
    figure('size', 'bytes', bytes),
    {
      key: 'started',
      head: words.started,
      align: 'right',
      sort: (run) => run.started,
      cell: (run) => (
        <span class="runs-faint">
          {run.started === null ? missing : moment(new Date(run.started), now, language.value)}
        </span>
      ),
    },
    {
      key: 'more',
      head: <span class="for-readers">{words.delete}</span>,
      cell: (run) => <DeleteButton run={run} onFailure={onFailure} />,
      width: '34px',
    },
  ]
}

function SelectBox({ run }: { readonly run: RunRow }) {
  const words = text()
  const series = selected.value.get(run.id)
  const isFull = series === undefined && selected.value.size >= mostSeries
  return (
    <Checkbox
      bare
      label={words.select(run.name)}
      checked={series !== undefined}
      {...(series !== undefined && { series })}
      off={isFull ? words.full : run.state === 'unreadable' ? words.unreadable : false}
      onChange={() => toggle(run.id)}
    />
  )
}

function DeleteButton({
  run,
  onFailure,
}: {
  readonly run: RunRow
  readonly onFailure: (fault: Fault) => void
}) {
  const words = text()
  const erase = async () => {
    try {
      const { bytes: freed } = await remove<DeleteReply>(`/api/runs/${encodeURIComponent(run.id)}`)
      if (selected.value.has(run.id)) toggle(run.id)
      toast(words.deleted(run.name, bytes(freed)))
      await readRuns()
    } catch (error) {
      onFailure(faultOf(error))
    }
  }
  return (
    <IconButton
      icon="trash"
      off={isLive(run)}
      label={isLive(run) ? `${words.delete}: ${words.isTraining}` : `${words.delete} ${run.name}`}
      onClick={() => {
        ask({
          title: words.deleteTitle(run.name),
          text: words.deleteText(run.bytes === null ? words.unknownSize : bytes(run.bytes), run.folder),
          cancel: words.keep,
          actions: [{ text: words.delete, kind: 'destructive', icon: 'trash', run: () => void erase() }],
        })
      }}
    />
  )
}
