import './data.css'
import { useEffect, useState } from 'preact/hooks'
import type { DataReply } from '../../api/types.js'
import { pathOf } from '../../app/routes.js'
import { isPhone } from '../../app/width.js'
import { Button } from '../../components/button.js'
import { Empty } from '../../components/empty.js'
import { Loading } from '../../components/loading.js'
import { Notice } from '../../components/notice.js'
import { Sheet } from '../../components/sheet.js'
import { TopBar } from '../../components/top-bar.js'
import { whole } from '../../format/numbers.js'
import { Changes, Lengths, Mixture } from './panels.js'
import { RowList } from './row-list.js'
import { RowDetail } from './row-detail.js'
import { noFilter, type RowFilter } from './rows.js'
import { MappingStrip } from './mapping.js'
import { notRead, readSet, useSets } from './sets.js'
import { text } from './text.js'

/** The data of a mixture as the model sees it. */
export function DataView({ name: given }: { readonly name?: string }) {
  const words = text()
  const list = useSets()
  const name = given ?? list?.sets[0]?.name
  if (name !== undefined) return <SetView key={name} name={name} />
  return (
    <>
      <TopBar title={words.data} />
      <div class="view-content">
        {list === null ? (
          <Loading lines={6} />
        ) : (
          <Empty
            title={words.emptyTitle}
            text={words.emptyText}
            action={
              <Button kind="primary" icon="plus" href="#/new">
                {words.newRun}
              </Button>
            }
            command="npx ift data"
          />
        )}
      </div>
    </>
  )
}

function SetView({ name }: { readonly name: string }) {
  const words = text()
  const [reading, setReading] = useState(notRead)
  const [attempt, setAttempt] = useState(0)
  useEffect(() => {
    const stop = new AbortController()
    void readSet(name, stop.signal, setReading)
    return () => {
      stop.abort()
    }
  }, [name, attempt])
  const { data, progress, problem, unmapped } = reading
  const again = () => {
    setReading(notRead)
    setAttempt(attempt + 1)
  }
  const mapped = data !== null && data.mappings.length > 0
  return (
    <>
      <TopBar
        title={data?.title ?? name}
        crumbs={[{ text: words.data, href: '#/data' }]}
        beside={
          data !== null && <span class="data-template">{words.template(data.template, data.tokenizer)}</span>
        }
        actions={
          <Button icon="plus" href={pathOf('new', name, mapped ? { data: JSON.stringify(data.data) } : {})}>
            {words.useInRun}
          </Button>
        }
      />
      {unmapped !== null ? (
        <div class="view-content">
          <MappingStrip name={name} mapping={unmapped} onDone={again} />
        </div>
      ) : data === null ? (
        <div class="view-content">
          {problem === null ? (
            <>
              {progress !== null && (
                <p role="status">{words.soFar(whole(progress.rows), progress.source ?? '')}</p>
              )}
              <Loading lines={8} what={words.reading} />
            </>
          ) : (
            <Notice
              title={words.problem}
              fault={problem}
              actions={
                <Button small onClick={again}>
                  {words.tryNow}
                </Button>
              }
            />
          )}
        </div>
      ) : (
        <Shown data={data} onMapped={again} />
      )}
    </>
  )
}

function Shown({ data, onMapped }: { readonly data: DataReply; readonly onMapped: () => void }) {
  const words = text()
  const [filter, setFilter] = useState<RowFilter>(noFilter)
  const [row, setRow] = useState<number | null>(null)
  const sources = data.sources.map(({ name }) => name)
  const detail = row !== null && (
    <RowDetail
      key={row}
      name={data.name}
      row={row}
      data={data}
      onTag={(tag) => {
        setFilter({ ...noFilter, tag })
      }}
    />
  )
  return (
    <div class="view-content">
      <div class="data-panels">
        <Mixture data={data} filter={filter} onFilter={setFilter} />
        <Lengths data={data} filter={filter} onFilter={setFilter} />
        <Changes data={data} filter={filter} onFilter={setFilter} />
      </div>
      {data.notes.map((note) => (
        <Notice key={note} kind="info">
          {note}
        </Notice>
      ))}
      {data.mappings.map((mapping) => (
        <MappingStrip
          key={mapping.entry}
          name={data.name}
          mapping={mapping}
          entry={data.data[mapping.entry]}
          onDone={onMapped}
        />
      ))}
      <section class="data-rows">
        <RowList
          name={data.name}
          sources={sources}
          reasons={data.reasons.map(({ reason }) => reason)}
          tags={data.tags}
          maxLength={data.maxLength}
          filter={filter}
          onFilter={setFilter}
          open={row}
          onOpen={setRow}
        />
        {isPhone.value ? (
          detail && (
            <Sheet
              label={words.row(whole(row + 1))}
              onClose={() => {
                setRow(null)
              }}
            >
              {detail}
            </Sheet>
          )
        ) : (
          <div class="data-detail">{detail || <p class="data-none">{words.choose}</p>}</div>
        )}
      </section>
      {!data.complete && <p class="data-none">{words.partly}</p>}
    </div>
  )
}
