import './runs.css'
import { useRef, useState } from 'preact/hooks'
import type { Fault } from '../../app/faults.js'
import { useKeys } from '../../app/keys.js'
import { go, pathOf } from '../../app/routes.js'
import { isPhone } from '../../app/width.js'
import { Button } from '../../components/button.js'
import { Empty } from '../../components/empty.js'
import { TextInput } from '../../components/field.js'
import { Loading } from '../../components/loading.js'
import { Notice } from '../../components/notice.js'
import { Table } from '../../components/table.js'
import type { Sort } from '../../components/table-order.js'
import { TopBar } from '../../components/top-bar.js'
import { whole } from '../../format/numbers.js'
import { otherValidation } from './compare.js'
import { useCurves } from './curves.js'
import { Difference } from './difference.js'
import { matches, termsOf } from './filter.js'
import { readRuns, runsProblem, useRuns } from './list.js'
import { Overlay } from './overlay.js'
import { selected, toggle } from './selection.js'
import { text } from './text.js'
import { ColumnChoice, type Optional } from './column-choice.js'
import { columnsOf } from './columns.js'
import { SelectionBar } from './selection-bar.js'

/** All runs, and those of them that are compared. */
export function RunsView() {
  const words = text()
  const list = useRuns()
  const [filter, setFilter] = useState('')
  const [sort, setSort] = useState<Sort>({ key: 'started', down: true })
  const [hidden, setHidden] = useState<ReadonlySet<Optional>>(new Set(['size']))
  const [failure, setFailure] = useState<Fault | null>(null)
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
        <div class="view-content runs-content">
          {problem === null ? (
            <Loading lines={8} />
          ) : (
            <Notice
              title={words.problem}
              fault={problem}
              actions={
                <Button small onClick={() => void readRuns()}>
                  {words.tryNow}
                </Button>
              }
            />
          )}
        </div>
      </>
    )
  if (all.length === 0)
    return (
      <>
        {top}
        <div class="view-content runs-content">
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
      <div class="view-content runs-content">
        {isPhone.value && (
          <TextInput
            search
            label={words.filterLabel}
            placeholder={words.filter}
            value={filter}
            onInput={setFilter}
          />
        )}
        {failure !== null && <Notice fault={failure} />}
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
              served={chosen.map((run) => read.get(run.id)?.detail.model ?? null)}
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
