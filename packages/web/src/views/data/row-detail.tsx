import { signal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'
import { ApiError, getJson } from '../../api/client.js'
import type { DataReply, RowPiece, RowReply } from '../../api/types.js'
import { useKeys } from '../../app/keys.js'
import { Button } from '../../components/button.js'
import { Loading } from '../../components/loading.js'
import { Notice } from '../../components/notice.js'
import { Segmented } from '../../components/segmented.js'
import { Tag } from '../../components/tag.js'
import { percent, whole } from '../../format/numbers.js'
import { chipsOf, segmentsOf, withMarks, type Segment } from './pieces.js'
import { tagName } from './rows.js'
import { text } from './text.js'

type Shown = 'mask' | 'ids' | 'raw'
/** How rows are shown; the same for all until it is changed. */
const shownAs = signal<Shown>('mask')

/** A row as the model sees it. */
export function RowDetail({
  name,
  row,
  data,
  onTag,
}: {
  readonly name: string
  readonly row: number
  readonly data: DataReply
  /** Lists the rows with a tag. */
  readonly onTag: (tag: string) => void
}) {
  const words = text()
  const [reply, setReply] = useState<RowReply | null>(null)
  const [pieces, setPieces] = useState<readonly RowPiece[]>([])
  const [problem, setProblem] = useState<ApiError | null>(null)
  const path = `/api/data/${encodeURIComponent(name)}/rows/${row}`
  const read = (from: number, signal?: AbortSignal) =>
    getJson<RowReply>(
      from === 0 ? path : `${path}?from=${from}`,
      signal === undefined ? {} : { signal },
    ).then(
      (next) => {
        setReply(next)
        setPieces((before) => (from === 0 ? next.pieces : [...before, ...next.pieces]))
      },
      (error: unknown) => {
        if (error instanceof ApiError) setProblem(error)
      },
    )
  useEffect(() => {
    const stop = new AbortController()
    void read(0, stop.signal)
    return () => {
      stop.abort()
    }
  }, [path])
  useKeys({
    m: () => {
      shownAs.value = shownAs.value === 'mask' ? 'ids' : 'mask'
    },
  })
  if (problem !== null) return <Notice fault={problem} />
  if (reply === null) return <Loading lines={6} />
  const kept = Math.min(reply.tokens, data.maxLength)
  const shown = shownAs.value
  const left = reply.count - pieces.length
  return (
    <article class="data-row">
      <header class="data-row-head">
        <h2 title={reply.where}>{words.row(whole(row + 1))}</h2>
        {Object.entries(reply.tags).map(([key, value]) => (
          <button
            key={key}
            type="button"
            class="data-tag"
            title={words.rowsWith}
            onClick={() => onTag(`${key}:${value}`)}
          >
            <Tag name={tagName(key)} value={value} />
          </button>
        ))}
        {reply.reasons.map((reason) => (
          <span key={reason} class={`data-reason data-reason-${reason}`}>
            {words.tags[reason]}
          </span>
        ))}
        <span class="data-row-facts">
          {words.rowFacts(
            whole(reply.tokens),
            whole(reply.trained),
            percent(kept === 0 ? 0 : reply.trained / kept),
          )}
        </span>
        <Segmented
          small
          label={words.shownAs}
          options={[
            { value: 'mask', text: words.mask },
            { value: 'ids', text: words.ids },
            { value: 'raw', text: words.raw },
          ]}
          value={shown}
          onChange={(value) => {
            shownAs.value = value
          }}
        />
      </header>
      {reply.problem !== null && (
        <Notice
          title={`${words.notReadable}: ${reply.where}`}
          fault={{ code: 'data', message: reply.problem }}
        />
      )}
      <div class="data-text" tabIndex={0} role="region" aria-label={words.row(whole(row + 1))}>
        {shown === 'raw' ? (
          <pre class="data-raw">{reply.raw ?? words.noRaw}</pre>
        ) : shown === 'ids' ? (
          <Ids pieces={pieces} lost={data.maxLength} />
        ) : (
          <Masked pieces={pieces} lost={data.maxLength} />
        )}
        {left > 0 && shown !== 'raw' && (
          <p>
            <Button small onClick={() => void read(pieces.length)}>
              {words.more(whole(Math.min(2000, left)))}
            </Button>
          </p>
        )}
      </div>
      <footer class="data-key">
        <span>
          <i class="data-piece data-trained">abc</i> {words.trainedKey}
        </span>
        <span>
          <i class="data-piece">abc</i> {words.readOnly}
        </span>
        <span>
          <i class="data-piece data-special">&lt;s&gt;</i> {words.special}
        </span>
        {pieces.some(({ cut }) => cut) && (
          <span>
            <i class="data-piece data-cut">abc</i> {words.cutKey}
          </span>
        )}
        <span class="data-keys">
          <kbd>J</kbd> <kbd>K</kbd> {words.keys}
        </span>
      </footer>
    </article>
  )
}

const classOf = ({ trained, special, cut }: Omit<Segment, 'text'>) =>
  ['data-piece', trained && !cut && 'data-trained', special && 'data-special', cut && 'data-cut']
    .filter(Boolean)
    .join(' ')

/** A text whose line ends are seen. */
const Text = ({ of }: { readonly of: string }) => (
  <>
    {withMarks(of).map((part, i) =>
      part.mark ? (
        <span key={i} class="data-mark" aria-hidden="true">
          {part.text}
        </span>
      ) : (
        part.text
      ),
    )}
  </>
)

/** Where the row is cut. */
function CutMark({ at }: { readonly at: number }) {
  const words = text()
  return (
    <span class="data-cut-mark" title={words.lost(whole(at))}>
      {whole(at)}
    </span>
  )
}

function Masked({ pieces, lost }: { readonly pieces: readonly RowPiece[]; readonly lost: number }) {
  const segments = segmentsOf(pieces)
  const cutAt = segments.findIndex(({ cut }) => cut)
  return (
    <p class="data-tokens" lang="">
      {segments.map((segment, i) => (
        <>
          {i === cutAt && <CutMark at={lost} />}
          <span key={i} class={classOf(segment)}>
            <Text of={segment.text} />
          </span>
        </>
      ))}
    </p>
  )
}

function Ids({ pieces, lost }: { readonly pieces: readonly RowPiece[]; readonly lost: number }) {
  const chips = chipsOf(pieces)
  const cutAt = chips.findIndex(({ cut }) => cut)
  return (
    <p class="data-chips">
      {chips.map((chip, i) => (
        <>
          {i === cutAt && <CutMark at={lost} />}
          <span key={i} class={`${classOf(chip)} data-chip`}>
            <span>{chip.text === '' ? '…' : chip.text.replace(/^ /, '·').replaceAll('\n', '↵')}</span>
            <small>{chip.ids.join(' ')}</small>
          </span>
        </>
      ))}
    </p>
  )
}
