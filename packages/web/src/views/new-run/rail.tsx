import { pathOf } from '../../app/routes.js'
import { RailItem, RailList } from '../../components/rail-list.js'
import { useRuns } from '../runs/list.js'
import { draft, saved, schema } from './state.js'
import { text } from './text.js'

/** Runs that a new one can begin from, in the rail. */
const most = 12

/** Where a new run can begin. */
export function NewRunRail() {
  const words = text()
  const runs = (useRuns()?.runs ?? []).filter(({ state }) => state !== 'unreadable').slice(0, most)
  const config = schema.value?.config ?? null
  const { from } = draft.value
  const item = (id: string, title: string, note: string) => (
    <RailItem key={id} href={pathOf('new', id)} text={title} note={note} current={from === id} />
  )
  return (
    <RailList title={words.startFrom}>
      {item('empty', words.empty, words.allDefaults)}
      {config !== null && item('config', config.path, words.workingFolder)}
      {Object.keys(saved.value).map((name) => item(`saved.${name}`, name, words.savedConfig))}
      {runs.map((run) => item(`run.${run.id}`, run.name, words.aRun))}
    </RailList>
  )
}
