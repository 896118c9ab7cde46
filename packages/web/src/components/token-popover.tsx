import './token-popover.css'
import { useState } from 'preact/hooks'
import type { ScoredToken } from '../api/completions.js'
import { useKeys } from '../app/keys.js'
import { words } from '../app/language.js'
import { isPhone } from '../app/width.js'
import { Button } from './button.js'
import { isSame, nats, percent, placesOf, rankOf, shownToken, type Chip } from './chips.js'
import { Popover } from './popover.js'
import { Segmented } from './segmented.js'

const text = words({
  en: {
    rank: (rank: number) => `rank ${rank}`,
    beyond: (count: number) => `beyond ${count}`,
    nats: 'nats',
    label: (token: string) => `In the place of ${token}`,
    pick: 'Pick one to continue from it',
    goOn: (token: string) => `Continue from “${token}”`,
    all: 'All ten',
    none: 'The ten likeliest were not kept.',
    part: 'A part of a character: no text to continue from.',
    pieces: 'Pieces of the character',
  },
  zh: {
    rank: (rank) => `第 ${rank} 位`,
    beyond: (count) => `${count} 位之后`,
    nats: 'nat',
    label: (token) => `${token} 处的候选`,
    pick: '选一个，从它继续',
    goOn: (token) => `从“${token}”继续`,
    all: '全部十个',
    none: '没有保存概率最高的十个。',
    part: '只是字符的一部分，无法从这里继续。',
    pieces: '字符的各部分',
  },
})

export interface TokenPopoverProps {
  readonly chip: Chip
  readonly anchor: Element
  /** Opened by hovering: focus stays where it is. */
  readonly still: boolean
  readonly onClose: () => void
  /** Goes on from another token in the place of a piece of the chip; absent where an answer is only looked at. */
  readonly goOn?: {
    /** Whether there is a text to go on from. */
    readonly can: (piece: number, token: ScoredToken) => boolean
    readonly run: (piece: number, token: ScoredToken) => void
  }
  /** The chip before (−1) or after (1). */
  readonly onMove: (by: 1 | -1) => void
}

/** The ten likeliest in the place of a token. */
export function TokenPopover(props: TokenPopoverProps) {
  const { chip, anchor, still, onClose } = props
  return (
    <Popover
      anchor={anchor}
      label={text().label(chip.text.trim() || shownToken(chip.tokens[0]!))}
      onClose={onClose}
      still={still}
    >
      <Places {...props} />
    </Popover>
  )
}

/** Rows that a phone shows at once. */
const few = 8

function Places({ chip, goOn, onMove }: TokenPopoverProps) {
  const [piece, setPiece] = useState(0)
  const token = chip.tokens[Math.min(piece, chip.tokens.length - 1)]!
  const places = placesOf(token)
  const [at, setAt] = useState(
    Math.max(
      0,
      places.findIndex((one) => isSame(one.token, token)),
    ),
  )
  const [isWhole, setWhole] = useState(!isPhone.value)
  const chosen = places[Math.min(at, places.length - 1)]!
  const canTake = (one: ScoredToken) => goOn?.can(piece, one) === true
  const take = (one: ScoredToken) => {
    if (canTake(one)) goOn?.run(piece, one)
  }
  const step = (by: number) => setAt((at + by + places.length) % places.length)
  useKeys({
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    ArrowLeft: () => onMove(-1),
    ArrowRight: () => onMove(1),
    Enter: () => take(chosen.token),
  })
  const most = Math.exp(places[0]!.token.logprob)
  const rank = rankOf(token)
  return (
    <div class="places">
      <header class="places-head">
        <span class="places-token">{shownToken(token)}</span>
        <span class="places-rank">
          {token.top.length === 0 ? '' : rank === null ? text().beyond(token.top.length) : text().rank(rank)}
        </span>
        <span class="places-value">
          {percent(Math.exp(token.logprob))} · {nats(token.logprob)} {text().nats}
        </span>
      </header>
      {chip.tokens.length > 1 && (
        <div class="places-pieces">
          <Segmented
            small
            label={text().pieces}
            options={chip.tokens.map((one, i) => ({ value: String(i), text: shownToken(one) }))}
            value={String(piece)}
            onChange={(value) => {
              setPiece(Number(value))
              setAt(0)
            }}
          />
        </div>
      )}
      {token.top.length === 0 && <p class="places-none">{text().none}</p>}
      <ul class="places-list" role="listbox" aria-label={text().pick}>
        {(isWhole ? places : places.slice(0, few)).map(({ token: one, rank: place }, i) => (
          <li
            key={i}
            class={`places-row${isSame(one, token) ? ' places-taken' : ''}`}
            role="option"
            aria-selected={i === at}
            title={!goOn || canTake(one) ? undefined : text().part}
            onMouseMove={() => setAt(i)}
            onClick={() => (isPhone.value ? setAt(i) : take(one))}
          >
            <span class="places-number">{place ?? '…'}</span>
            <span class="places-name">{shownToken(one)}</span>
            <span class="places-bar">
              <span style={{ width: `${Math.max(2, (100 * Math.exp(one.logprob)) / most)}%` }} />
            </span>
            <span class="places-percent">{percent(Math.exp(one.logprob))}</span>
          </li>
        ))}
      </ul>
      {!goOn ? null : isPhone.value ? (
        <footer class="places-buttons">
          {!isWhole && <Button onClick={() => setWhole(true)}>{text().all}</Button>}
          <Button
            kind="primary"
            icon="branch"
            off={canTake(chosen.token) ? false : text().part}
            onClick={() => take(chosen.token)}
          >
            {text().goOn(shownToken(chosen.token))}
          </Button>
        </footer>
      ) : (
        <footer class="places-foot">
          <span>{text().pick}</span>
          <span class="places-keys" aria-hidden="true">
            <kbd>↑</kbd>
            <kbd>↓</kbd>
            <kbd>↵</kbd>
          </span>
        </footer>
      )}
    </div>
  )
}
