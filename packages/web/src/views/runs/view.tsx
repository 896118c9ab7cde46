import './runs.css'
import { useRef, useState } from 'preact/hooks'
import { ApiError, remove } from '../../api/client.js'
import type { DeleteReply, RunRow } from '../../api/types.js'
import { useKeys } from '../../app/keys.js'
import { language } from '../../app/language.js'
import { go, pathOf } from '../../app/routes.js'
import { isPhone } from '../../app/width.js'
import { Button, IconButton } from '../../components/button.js'
import { mostSeries } from '../../components/chart/series.js'
import { copyText } from '../../components/copy.js'
import { ask } from '../../components/dialog.js'
import { Empty } from '../../components/empty.js'
import { TextInput } from '../../components/field.js'
import { Loading } from '../../components/loading.js'
import { Notice } from '../../components/notice.js'
import { Popover } from '../../components/popover.js'
import { StatePill } from '../../components/state-pill.js'
import { Checkbox } from '../../components/switch.js'
import { Table, type Column } from '../../components/table.js'
import type { Sort } from '../../components/table-order.js'
import { toast } from '../../components/toast.js'
import { TopBar } from '../../components/top-bar.js'
import { bytes, gib, loss, middle, missing, rate, whole } from '../../format/numbers.js'
import { duration, moment } from '../../format/time.js'
import { otherValidation } from './compare.js'
import { csv } from './csv.js'
import { useCurves } from './curves.js'
import { Difference } from './difference.js'
import { matches, termsOf } from './filter.js'
import { methodName } from './method.js'
import { readRuns, runsProblem, useRuns } from './list.js'
import { Overlay } from './overlay.js'
import { selected, toggle } from './selection.js'
import { isLive, pillOf } from './state.js'
import { text } from './text.js'

/** Columns that can be left out. */
const optional = [
  'base',
  'method',
  'data',
  'rate',
  'bits',
  'tokensPerSecond',
  'peak',
  'time',
  'size',
] as const
type Optional = (typeof optional)[number]

/** All runs, and those of them that are compared. */
export function RunsView() {
  const words = text()
  const list = useRuns()
  const [filter, setFilter] = useState('')
  const [sort, setSort] = useState<Sort>({ key: 'started', down: true })
  const [hidden, setHidden] = useState<ReadonlySet<Optional>>(new Set(['size']))
  const [failure, setFailure] = useState<string | null>(null)
  const search = useRef<HTMLDivElement>(null)
  useKeys({ '/': () => search.current?.querySelector('input')?.focus() })
  const all = list?.runs ?? []
  const terms = termsOf(filter)
  const shown = all.filter((run) => matches(run, terms))
  const chosen = [...selected.value.keys()].flatMap((id) => all.find((run) => run.id === id) ?? [])
  const read = useCurves(chosen)
  // Losses are best only among the same rows.
  const comparable = !otherValidation(shown.filter((run) => run.bestEval !== null))
  const top = (
    <TopBar
      title={words.runs}
      beside={list !== null && words.countIn(all.length, list.folders.join(', '))}
      actions={
        <>
          {!isPhone.value && (
            <div class="runs-filter" ref={search}>
              <TextInput
                search
                label={words.filterLabel}
                placeholder={words.filter}
                value={filter}
                onInput={setFilter}
              />
            </div>
          )}
          {!isPhone.value && <ColumnChoice hidden={hidden} onChange={setHidden} />}
          <Button kind="primary" icon="plus" href="#/new">
            {words.newRun}
          </Button>
        </>
      }
    />
  )
  const problem = runsProblem.value
  if (list === null)
    return (
      <>
        {top}
        <div class="runs-content">
          {problem === null ? (
            <Loading lines={8} />
          ) : (
            <Notice
              title={words.problem}
              actions={
                <Button small onClick={() => void readRuns()}>
                  {words.tryNow}
                </Button>
              }
            >
              {problem.message}
            </Notice>
          )}
        </div>
      </>
    )
  if (all.length === 0)
    return (
      <>
        {top}
        <div class="runs-content">
          <Empty
            title={words.emptyTitle}
            text={words.emptyText}
            action={
              <Button kind="primary" icon="plus" href="#/new">
                {words.newRun}
              </Button>
            }
            command="npx ift train"
          />
        </div>
      </>
    )
  const columns = columnsOf(comparable, setFailure).filter(({ key }) => !hidden.has(key as Optional))
  return (
    <>
      {top}
      <div class="runs-content">
        {isPhone.value && (
          <TextInput
            search
            label={words.filterLabel}
            placeholder={words.filter}
            value={filter}
            onInput={setFilter}
          />
        )}
        {failure !== null && <Notice>{failure}</Notice>}
        <div
          class="runs-list"
          onKeyDown={(event: KeyboardEvent) => {
            // Space on the name of a run selects it.
            const id = (event.target as Element).closest<HTMLElement>('[data-run]')?.dataset['run']
            if (event.key !== ' ' || id === undefined || event.target instanceof HTMLInputElement) return
            event.preventDefault()
            toggle(id)
          }}
        >
          <Table
            label={words.runs}
            columns={columns}
            rows={shown}
            rowKey={(run) => run.id}
            sort={sort}
            onSort={setSort}
            rowHeight={34}
            onOpen={(run) => {
              go(pathOf('run', run.id))
            }}
            rowClass={(run) => (selected.value.has(run.id) ? 'runs-row runs-row-selected' : 'runs-row')}
          />
          {shown.length === 0 && (
            <p class="runs-none">
              {words.noneMatch}{' '}
              <button
                type="button"
                class="runs-link"
                onClick={() => {
                  setFilter('')
                }}
              >
                {words.showAll}
              </button>
            </p>
          )}
          {list.more > 0 && <p class="runs-none">{words.moreRuns(whole(list.more))}</p>}
        </div>
        {chosen.length === 0 ? (
          <p class="runs-hint">{words.selectTwo}</p>
        ) : (
          <>
            <SelectionBar
              chosen={chosen}
              served={chosen.map((run) => read.get(run.id)?.detail.checkpoints.at(-1)?.model ?? null)}
            />
            {otherValidation(chosen) && <Notice kind="caution">{words.caution}</Notice>}
            <div class="runs-compare">
              <Overlay chosen={chosen} curves={read} />
              <Difference chosen={chosen} curves={read} />
            </div>
          </>
        )}
      </div>
    </>
  )
}

function columnsOf(comparable: boolean, onFailure: (message: string) => void): readonly Column<RunRow>[] {
  const words = text()
  const now = new Date()
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
          {run.state === 'unreadable' && <span class="runs-reason"> {run.error?.message}</span>}
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
    {
      key: 'rate',
      head: words.rate,
      align: 'right',
      sort: (run) => run.learningRate,
      cell: (run) => rate(run.learningRate),
    },
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
    {
      key: 'tokensPerSecond',
      head: words.tokensPerSecond,
      align: 'right',
      sort: (run) => run.tokensPerSecond,
      cell: (run) => whole(run.tokensPerSecond),
    },
    {
      key: 'peak',
      head: words.peak,
      align: 'right',
      sort: (run) => run.peakMemory,
      cell: (run) => gib(run.peakMemory),
    },
    {
      key: 'time',
      head: words.time,
      align: 'right',
      sort: (run) => run.seconds,
      cell: (run) => duration(run.seconds),
    },
    {
      key: 'size',
      head: words.size,
      align: 'right',
      sort: (run) => run.bytes,
      cell: (run) => bytes(run.bytes),
    },
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
  readonly onFailure: (message: string) => void
}) {
  const words = text()
  const erase = async () => {
    try {
      const { bytes: freed } = await remove<DeleteReply>(`/api/runs/${encodeURIComponent(run.id)}`)
      if (selected.value.has(run.id)) toggle(run.id)
      toast(words.deleted(run.name, bytes(freed)))
      await readRuns()
    } catch (error) {
      onFailure(error instanceof ApiError ? error.message : String(error))
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

function ColumnChoice({
  hidden,
  onChange,
}: {
  readonly hidden: ReadonlySet<Optional>
  readonly onChange: (hidden: ReadonlySet<Optional>) => void
}) {
  const words = text()
  const [anchor, setAnchor] = useState<Element | null>(null)
  return (
    <>
      <Button
        kind="quiet"
        icon="sliders"
        onClick={(event) => {
          setAnchor(anchor === null ? (event.currentTarget as Element) : null)
        }}
      >
        {words.columns}
      </Button>
      {anchor !== null && (
        <Popover
          anchor={anchor}
          label={words.columns}
          right
          onClose={() => {
            setAnchor(null)
          }}
        >
          <div class="runs-columns">
            {optional.map((key) => (
              <Checkbox
                key={key}
                label={words[key]}
                checked={!hidden.has(key)}
                onChange={(isShown) => {
                  onChange(new Set(isShown ? [...hidden].filter((each) => each !== key) : [...hidden, key]))
                }}
              />
            ))}
          </div>
        </Popover>
      )}
    </>
  )
}

function SelectionBar({
  chosen,
  served,
}: {
  readonly chosen: readonly RunRow[]
  /** Names by which the server answers with them. */
  readonly served: readonly (string | null)[]
}) {
  const words = text()
  const [first, second] = served.filter((name) => name !== null)
  const table = () =>
    csv(
      [
        ...[
          'name',
          'state',
          'base',
          'method',
          'rank',
          'data',
          'learning_rate',
          'quantize',
          'best_validation_loss',
        ],
        ...['best_step', 'steps', 'tokens_per_second', 'peak_memory_bytes', 'seconds', 'started'],
      ],
      chosen.map((run) => [
        ...[
          run.name,
          run.state,
          run.base,
          run.method,
          run.rank,
          run.data.join(' '),
          run.learningRate,
          run.quantize,
        ],
        ...[
          run.bestEval?.loss ?? null,
          run.bestEval?.step ?? null,
          run.step,
          run.tokensPerSecond,
          run.peakMemory,
        ],
        ...[run.seconds, run.started],
      ]),
    )
  return (
    <div class="runs-selection">
      <b>{words.selected(chosen.length)}</b>
      <span class="runs-faint">{words.atMost}</span>
      <span class="runs-space" />
      <Button
        kind="quiet"
        onClick={() => {
          selected.value = new Map()
        }}
      >
        {words.clear}
      </Button>
      <Button
        icon="compare"
        off={first === undefined && words.notServed}
        href={pathOf('compare', null, {
          ...(first !== undefined && { a: first }),
          ...(second !== undefined && { b: second }),
        })}
      >
        {words.compareInChat}
      </Button>
      <Button onClick={() => void copyText(table())}>{words.copyCsv}</Button>
    </div>
  )
}
