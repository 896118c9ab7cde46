import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { getJson } from '../../api/client.js'
import type { DataReply, RowReason, RowsReply, RowSummary } from '../../api/types.js'
import { useKeys } from '../../app/keys.js'
import { languageOf } from '../../app/language.js'
import { seriesAt, Swatch } from '../../components/bars/stacked.js'
import { TextInput } from '../../components/field.js'
import { Select } from '../../components/select.js'
import { whole } from '../../format/numbers.js'
import { isFiltered, noFilter, RowCache, rowsPath, tagName, windowOf, type RowFilter } from './rows.js'
import { text } from './text.js'

const rowHeight = 30
/** A search waits for the next key. */
const pause = 250

/** Rows of a set, read and drawn by window. */
export function RowList({
  name,
  sources,
  reasons,
  tags,
  maxLength,
  filter,
  onFilter,
  open,
  onOpen,
}: {
  readonly name: string
  readonly sources: readonly string[]
  readonly reasons: readonly RowReason[]
  readonly tags: DataReply['tags']
  readonly maxLength: number
  readonly filter: RowFilter
  readonly onFilter: (filter: RowFilter) => void
  readonly open: number | null
  readonly onOpen: (row: number) => void
}) {
  const words = text()
  const frame = useRef<HTMLDivElement>(null)
  const search = useRef<HTMLDivElement>(null)
  const [typed, setTyped] = useState(filter.text)
  const [seen, setSeen] = useState({ scrolled: 0, height: 600 })
  const [version, setVersion] = useState(0)
  /** Place of the open row in the list. */
  const [place, setPlace] = useState<number | null>(null)
  const cache = useMemo(() => new RowCache(), [name, filter])

  useEffect(() => {
    if (typed === filter.text) return
    const timer = setTimeout(() => {
      onFilter({ ...filter, text: typed })
    }, pause)
    return () => {
      clearTimeout(timer)
    }
  }, [typed])
  useEffect(() => {
    if (filter.text === '') setTyped('')
    frame.current?.scrollTo(0, 0)
    setPlace(null)
  }, [filter])

  const total = cache.total ?? 0
  const { first, last } = windowOf(seen.scrolled, seen.height, rowHeight, cache.total ?? 1)
  useEffect(() => {
    const stop = new AbortController()
    for (const page of cache.missing(first, last))
      void getJson<RowsReply>(rowsPath(name, page, filter), { signal: stop.signal }).then(
        (reply) => {
          cache.add(reply)
          setVersion((before) => before + 1)
        },
        () => undefined,
      )
    return () => {
      stop.abort()
    }
  }, [cache, cache.missing(first, last).join()])
  useEffect(() => {
    const own = frame.current
    if (own === null) return
    const look = () => {
      setSeen({ scrolled: own.scrollTop, height: own.clientHeight })
    }
    look()
    const observer = new ResizeObserver(look)
    observer.observe(own)
    own.addEventListener('scroll', look, { passive: true })
    return () => {
      observer.disconnect()
      own.removeEventListener('scroll', look)
    }
  }, [])
  // The first row is open until another one is chosen.
  const firstRow = cache.at(0)
  useEffect(() => {
    if (firstRow !== null && place === null && matchMedia('(width >= 768px)').matches) {
      setPlace(0)
      onOpen(firstRow.row)
    }
  }, [firstRow, version])

  const openAt = (next: number) => {
    const row = cache.at(next)
    if (row === null) return
    setPlace(next)
    onOpen(row.row)
    const own = frame.current
    if (own === null) return
    const top = next * rowHeight
    if (top < own.scrollTop) own.scrollTop = top
    else if (top + rowHeight > own.scrollTop + own.clientHeight)
      own.scrollTop = top + rowHeight - own.clientHeight
  }
  useKeys({
    j: () => {
      openAt(place === null ? 0 : Math.min(total - 1, place + 1))
    },
    k: () => {
      openAt(place === null ? 0 : Math.max(0, place - 1))
    },
    '/': () => search.current?.querySelector('input')?.focus(),
  })
  const [chosen = ''] = (['source', 'reason', 'tag'] as const).flatMap((kind) =>
    filter[kind] === null ? [] : [`${kind} ${filter[kind]}`],
  )
  return (
    <div class="data-list">
      <div class="data-list-head">
        <div class="data-search" ref={search}>
          <TextInput
            search
            label={words.search}
            placeholder={words.search}
            value={typed}
            onInput={setTyped}
          />
        </div>
        <Select
          quiet
          label={words.filterBy}
          options={[
            { value: '', text: words.everything },
            ...sources.map((source) => ({ value: `source ${source}`, text: source })),
            ...reasons.map((reason) => ({ value: `reason ${reason}`, text: words.reasons[reason] })),
            ...tags.map(({ key, value, count }) => ({
              value: `tag ${key}:${value}`,
              text: `${tagName(key)} ${value}`,
              note: whole(count),
            })),
          ]}
          value={chosen}
          onChange={(value) => {
            const [kind, ...rest] = value.split(' ')
            onFilter({
              ...filter,
              source: kind === 'source' ? rest.join(' ') : null,
              reason: kind === 'reason' ? (rest.join(' ') as RowReason) : null,
              tag: kind === 'tag' ? rest.join(' ') : null,
            })
          }}
        />
      </div>
      {isFiltered(filter) && (
        <p class="data-filtered" role="status">
          {words.rowCount(cache.total === null ? '…' : whole(total))}
          {filter.span !== null && <> · {words.lengths(filter.span.from, filter.span.to)}</>}{' '}
          <button
            type="button"
            onClick={() => {
              onFilter(noFilter)
            }}
          >
            {words.clear}
          </button>
        </p>
      )}
      <div class="data-list-frame" ref={frame}>
        <ol style={{ height: `${total * rowHeight}px` }} aria-label={words.rows}>
          {Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i).map((at) => {
            const row = cache.at(at)
            return (
              <li key={at} style={{ top: `${at * rowHeight}px` }}>
                {row !== null && (
                  <RowLine
                    row={row}
                    number={at + 1}
                    source={sources.indexOf(row.source)}
                    maxLength={maxLength}
                    isOpen={row.row === open}
                    onOpen={() => {
                      openAt(at)
                    }}
                  />
                )}
              </li>
            )
          })}
        </ol>
        {cache.total === 0 && <p class="data-none">{words.noRows}</p>}
      </div>
    </div>
  )
}

function RowLine({
  row,
  number,
  source,
  maxLength,
  isOpen,
  onOpen,
}: {
  readonly row: RowSummary
  readonly number: number
  readonly source: number
  readonly maxLength: number
  readonly isOpen: boolean
  readonly onOpen: () => void
}) {
  const words = text()
  const isOver = row.tokens > maxLength
  const share = row.tokens === 0 ? 0 : row.trained / Math.min(row.tokens, maxLength)
  return (
    <button type="button" class="data-line" aria-current={isOpen ? 'true' : undefined} onClick={onOpen}>
      <span class="data-line-number">{number}</span>
      <Swatch series={seriesAt(Math.max(0, source))} />
      <span
        class={row.kept ? 'data-line-title' : 'data-line-title data-line-out'}
        lang={languageOf(row.title)}
      >
        {row.title}
      </span>
      {row.reasons.map((reason) => (
        <span key={reason} class={`data-reason data-reason-${reason}`}>
          {words.tags[reason]}
        </span>
      ))}
      <span class={isOver ? 'data-line-tokens data-line-over' : 'data-line-tokens'}>{whole(row.tokens)}</span>
      <span class="data-line-bar" aria-hidden="true">
        <i style={{ width: `${Math.min(100, share * 100)}%` }} />
      </span>
    </button>
  )
}
