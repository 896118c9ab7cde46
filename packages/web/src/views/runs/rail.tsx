import './runs.css'
import type { RunRow } from '../../api/types.js'
import { pathOf, route } from '../../app/routes.js'
import { RailItem, RailList } from '../../components/rail-list.js'
import { loss, whole } from '../../format/numbers.js'
import { duration } from '../../format/time.js'
import { useRuns } from './list.js'
import { isLive } from './state.js'
import { text } from './text.js'

/** Runs of the list in the rail. */
const most = 60

/** What runs are training, and the earlier ones. */
export function RunsRail() {
  const words = text()
  const all = useRuns()?.runs ?? []
  const running = all.filter(isLive)
  const earlier = all.filter((run) => !isLive(run)).slice(0, most)
  const { view, id } = route.value
  const item = (run: RunRow) => (
    <RailItem
      key={run.id}
      href={pathOf('run', run.id)}
      text={run.name}
      current={view === 'run' && id === run.id}
      note={noteOf(run)}
      {...(isLive(run) && { before: <span class="runs-live" /> })}
    />
  )
  return (
    <>
      {running.length > 0 && <RailList title={words.running}>{running.map(item)}</RailList>}
      {earlier.length > 0 && <RailList title={words.earlier}>{earlier.map(item)}</RailList>}
    </>
  )
}

function noteOf(run: RunRow): string {
  const words = text()
  const best = loss(run.bestEval?.loss ?? run.loss)
  if (isLive(run))
    return run.secondsLeft === null
      ? words.steps(`${whole(run.step)} / ${whole(run.totalSteps)}`, '—')
      : words.stepLeft(whole(run.step), whole(run.totalSteps), duration(run.secondsLeft))
  if (run.state === 'unreadable') return words.unreadable
  if (run.state === 'failed') return words.failedAt(whole(run.step))
  if (run.state === 'stopped') return words.stoppedAt(whole(run.step), best)
  return words.steps(whole(run.step), best)
}
