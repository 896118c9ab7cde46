import './run.css'
import { useEffect, useMemo, useState } from 'preact/hooks'
import type { RunReply } from '../../api/types.js'
import { faultOf, type Fault } from '../../app/faults.js'
import { useKeys } from '../../app/keys.js'
import { go, pathOf } from '../../app/routes.js'
import { useTabTitle } from '../../app/tab-title.js'
import { isPhone } from '../../app/width.js'
import { Button } from '../../components/button.js'
import { Copy } from '../../components/copy.js'
import { Dialog } from '../../components/dialog.js'
import { Empty } from '../../components/empty.js'
import { Loading } from '../../components/loading.js'
import { Notice } from '../../components/notice.js'
import { StatePill } from '../../components/state-pill.js'
import { TopBar } from '../../components/top-bar.js'
import { chartGroup } from '../../components/chart/group.js'
import { loss, whole } from '../../format/numbers.js'
import { clock, duration } from '../../format/time.js'
import { pillOf } from '../runs/state.js'
import { RunActions } from './actions.js'
import { Curves, logScale, LossCurve, smoothing } from './curves.js'
import { Figures } from './figures.js'
import { MemoryPanel } from './memory.js'
import { paceOf, summaryOf } from './summary.js'
import { Progress } from './progress.js'
import { SampleTable } from './sample-table.js'
import { secondsLeft, stalledFor } from './eta.js'
import { text } from './text.js'
import { ticking, watchRun, type Watched } from './watch.js'

/** A run: live while it trains, and what it came to after that. */
export function RunView({ id }: { readonly id: string }) {
  const watched = useMemo(() => watchRun(id), [id])
  useEffect(
    () => () => {
      watched.close()
    },
    [watched],
  )
  const words = text()
  const run = watched.run.value
  const problem = watched.problem.value
  if (run === null)
    return (
      <>
        <TopBar title={id} crumbs={[{ text: words.runs, href: '#/runs' }]} back="#/runs" />
        <div class="view-content run-content">
          {problem === null ? (
            <Loading lines={6} what={words.reading} />
          ) : problem.status === 404 ? (
            <Empty title={words.notFound} action={<Button href="#/runs">{words.allRuns}</Button>} />
          ) : (
            <Notice
              title={words.problem}
              fault={problem}
              actions={
                <Button small onClick={watched.tryNow}>
                  {words.tryNow}
                </Button>
              }
            />
          )}
        </div>
      </>
    )
  return <Shown run={run} watched={watched} />
}

function Shown({ run, watched }: { readonly run: RunReply; readonly watched: Watched }) {
  const words = text()
  const group = useMemo(chartGroup, [])
  const [showsConfig, setShowsConfig] = useState(false)
  const [failure, setFailure] = useState<Fault | null>(null)
  const train = watched.train.value
  const evaluation = watched.evaluation.value
  const isLive = run.state === 'training' || run.state === 'stopping' || run.state === 'starting'
  const isLost = watched.connection.value.kind === 'lost'
  const pace = paceOf(run, train, evaluation)
  const left = isLive ? secondsLeft(pace) : null
  const summary = useMemo(
    () => summaryOf(run, train, evaluation, smoothing.value),
    [run, train, evaluation, watched.version.value, smoothing.value],
  )
  const total = run.totalSteps ?? run.plan?.steps ?? null
  useTabTitle(
    isLive && total !== null && run.step !== null
      ? `${run.step}/${total} · ${loss(summary.smoothed)} · ${run.name}`
      : run.name,
  )
  useKeys({
    '0': () => {
      group.zoom.value = null
    },
    l: () => {
      logScale.value = !logScale.value
    },
  })
  const act = (work: Promise<unknown>) =>
    work.then(
      () => {
        setFailure(null)
        watched.refresh()
      },
      (error: unknown) => {
        setFailure(faultOf(error))
      },
    )
  return (
    <>
      <TopBar
        title={run.name}
        crumbs={[{ text: words.runs, href: '#/runs' }]}
        back="#/runs"
        beside={<StatePill {...pillOf(run, isLost && isLive)} />}
        actions={
          <RunActions
            run={run}
            act={act}
            onConfig={() => {
              setShowsConfig(true)
            }}
          />
        }
      />
      <div class="view-content run-content">
        {isLost && isLive && <LostBar watched={watched} step={run.step} />}
        {isLive && !isLost && run.step !== null && <StalledBar watched={watched} run={run} />}
        {watched.gone.value && (
          <Notice
            title={words.gone}
            actions={
              <Button small href="#/runs">
                {words.allRuns}
              </Button>
            }
          >
            {words.goneText}
          </Notice>
        )}
        {failure !== null && <Notice title={words.problem} fault={failure} />}
        <Ending run={run} act={act} />
        {run.process !== null && !run.process.canStop && (
          <Notice kind="info">{words.stopElsewhere(run.process.host, run.process.pid)}</Notice>
        )}
        <Progress run={run} left={left} isLive={isLive} isLost={isLost} summary={summary} />
        <Figures run={run} summary={summary} faint={isLost && isLive} />
        <div class="run-main">
          <LossCurve
            run={run}
            train={train}
            evaluation={evaluation}
            group={group}
            version={watched.version.value}
          />
          {!isPhone.value && <MemoryPanel run={run} train={train} />}
        </div>
        <Curves run={run} train={train} group={group} version={watched.version.value} />
        {isPhone.value && <MemoryPanel run={run} train={train} />}
        <SampleTable samples={watched.samples.value} every={run.plan?.samplesEvery ?? null} />
        {(run.warnings.length > 0 || watched.broken.value > 0) && (
          <Notice kind="caution" title={words.warnings}>
            {run.warnings.map((warning) => (
              <p key={warning}>{warning}</p>
            ))}
            {watched.broken.value > 0 && <p>{words.lines(watched.broken.value)}</p>}
          </Notice>
        )}
      </div>
      {showsConfig && (
        <ConfigDialog
          run={run}
          onClose={() => {
            setShowsConfig(false)
          }}
        />
      )}
      <Announcer run={run} left={left} total={total} />
    </>
  )
}

/** What a run that has ended came to, where there is more to say than its state. */
function Ending({
  run,
  act,
}: {
  readonly run: RunReply
  readonly act: (work: Promise<unknown>) => Promise<void>
}) {
  const words = text()
  if (run.state === 'starting') return <Notice kind="info">{words.starting}</Notice>
  if (run.state === 'failed' || run.state === 'unreadable')
    return (
      <Notice
        title={run.state === 'failed' ? words.failed(whole(run.step)) : words.states.unreadable}
        log={run.log}
        fault={run.error}
        actions={<RunActions run={run} act={act} onlyResume />}
      >
        {run.error === null && words.killed}
      </Notice>
    )
  if (run.state === 'stopped' && run.result === null)
    return (
      <Notice kind="caution" log={run.log}>
        {words.killed}
      </Notice>
    )
  if (run.result?.stoppedBy != null) return <Notice kind="info">{words.ended(run.result.stoppedBy)}</Notice>
  return null
}

/** Says that nothing new comes, and since when. */
function LostBar({ watched, step }: { readonly watched: Watched; readonly step: number | null }) {
  const words = text()
  const { now } = useTicking()
  const state = watched.connection.value
  const wait = state.kind === 'lost' ? Math.max(0, Math.ceil((state.retryAt - now) / 1000)) : 0
  return (
    <Notice
      kind="caution"
      bar
      title={words.notConnected}
      actions={
        <Button small onClick={watched.tryNow}>
          {words.tryNow}
        </Button>
      }
    >
      {words.shown(whole(step), clock(new Date(watched.heard.value), true))} {wait > 0 && words.nextTry(wait)}
    </Notice>
  )
}

function StalledBar({ watched, run }: { readonly watched: Watched; readonly run: RunReply }) {
  const words = text()
  const { now } = useTicking()
  const silence = (now - watched.heard.value) / 1000
  const stalled = stalledFor(paceOf(run, watched.train.value, watched.evaluation.value), silence)
  if (stalled === null) return null
  return (
    <Notice
      kind="caution"
      bar
      title={words.noStepFor(stalled < 60 ? `${Math.floor(stalled)} s` : duration(stalled))}
    >
      {words.noStepText}
    </Notice>
  )
}

/** The time, once a second. */
function useTicking(): { readonly now: number } {
  const ticker = useMemo(() => ticking(), [])
  useEffect(
    () => () => {
      ticker.stop()
    },
    [ticker],
  )
  return { now: ticker.now.value }
}

/** Tells readers of the screen the step every tenth of the run, and each change of state at once. */
function Announcer({
  run,
  left,
  total,
}: {
  readonly run: RunReply
  readonly left: number | null
  readonly total: number | null
}) {
  const words = text()
  const tenth = total === null || run.step === null ? 0 : Math.floor((10 * run.step) / Math.max(1, total))
  const line = useMemo(
    () =>
      run.step === null || total === null
        ? words.states[run.state]
        : `${words.states[run.state]}. ${words.announce(
            whole(run.step),
            whole(total),
            left === null ? '' : words.left(duration(left)),
          )}`,
    [tenth, run.state],
  )
  return (
    <div class="for-readers" role="status" aria-live="polite">
      {line}
    </div>
  )
}

function ConfigDialog({ run, onClose }: { readonly run: RunReply; readonly onClose: () => void }) {
  const words = text()
  const config = JSON.stringify(run.written ?? run.config, null, 2)
  return (
    <Dialog
      title={words.configOf(run.name)}
      wide
      closable
      onClose={onClose}
      actions={
        <>
          <Button
            kind="quiet"
            onClick={() => {
              onClose()
              go(pathOf('new', `run.${run.id}`))
            }}
          >
            {words.newFrom}
          </Button>
          <Copy text={config} />
        </>
      }
    >
      {run.command !== null && (
        <pre class="run-code" tabIndex={0} aria-label={words.command}>
          {run.command}
        </pre>
      )}
      <pre class="run-code run-config" tabIndex={0} aria-label={words.config}>
        {config}
      </pre>
    </Dialog>
  )
}
