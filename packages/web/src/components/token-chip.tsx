import './token-chip.css'
import { memo } from './memo.js'
import { useMemo, useRef } from 'preact/hooks'
import type { AnswerToken } from '../api/completions.js'
import { languageOf, words } from '../app/language.js'
import { chipsOf, rankOf, tintOf, type Chip } from './chips.js'

const text = words({
  en: {
    tokens: 'Tokens of the answer',
    name: (shown: string, percent: string, rank: number | null, of: number) =>
      `${shown}, ${percent} percent${rank === null ? '' : `, rank ${rank} of ${of}`}`,
    lineEnd: 'line end',
    space: 'space',
  },
  zh: {
    tokens: '回答的词元',
    name: (shown, percent, rank, of) =>
      `${shown}，百分之 ${percent}${rank === null ? '' : `，第 ${rank} 位，共 ${of} 个`}`,
    lineEnd: '换行',
    space: '空格',
  },
})

export interface TokenChipsProps {
  readonly tokens: readonly AnswerToken[]
  /** What they are together. */
  readonly answer: string
  /** Place of the chip that is opened. */
  readonly selected: number | null
  readonly onOpen: (at: number, element: Element, how: 'click' | 'hover') => void
  readonly specials?: readonly string[]
}

/** An answer by its tokens, each tinted by its probability: a row of which one can be reached by Tab, the others by arrows. */
export const TokenChips = memo(function TokenChips({
  tokens,
  answer,
  selected,
  onOpen,
  specials = [],
}: TokenChipsProps) {
  const chips = useMemo(() => chipsOf(tokens, answer), [tokens])
  const row = useRef<HTMLDivElement>(null)
  const hover = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const at = (target: EventTarget | null) => {
    const element = target instanceof Element ? target.closest<HTMLElement>('[data-chip]') : null
    return element && { element, index: Number(element.dataset['chip']) }
  }
  const move = (from: number, by: number) => {
    const next = row.current?.querySelector<HTMLElement>(`[data-chip="${from + by}"]`)
    next?.focus()
    return next
  }
  return (
    <div
      ref={row}
      class="tokens"
      role="group"
      aria-label={text().tokens}
      lang={languageOf(answer)}
      onClick={({ target }) => {
        const found = at(target)
        if (found) onOpen(found.index, found.element, 'click')
      }}
      onKeyDown={(event) => {
        const found = at(event.target)
        if (!found) return
        // Enter on the one that is open goes on from what is chosen there.
        if (event.key === 'Enter' && found.index === selected) return
        if (event.key === 'Enter' || event.key === ' ') {
          event.preventDefault()
          onOpen(found.index, found.element, 'click')
        } else if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') {
          event.preventDefault()
          const by = event.key === 'ArrowRight' ? 1 : -1
          const next = move(found.index, by)
          if (next && selected !== null) onOpen(found.index + by, next, 'click')
        }
      }}
      onMouseOver={({ target }) => {
        clearTimeout(hover.current)
        const found = at(target)
        if (found && selected === null)
          hover.current = setTimeout(() => onOpen(found.index, found.element, 'hover'), 400)
      }}
      onMouseLeave={() => clearTimeout(hover.current)}
    >
      {chips.map((chip, i) => (
        <ChipView
          key={i}
          {...{ chip, at: i }}
          isSelected={i === selected}
          isReached={i === (selected ?? 0)}
          isSpecial={specials.includes(chip.text)}
        />
      ))}
    </div>
  )
})

interface ChipViewProps {
  readonly chip: Chip
  readonly at: number
  readonly isSelected: boolean
  readonly isReached: boolean
  readonly isSpecial: boolean
}

const ChipView = memo(function ChipView({ chip, at, isSelected, isReached, isSpecial }: ChipViewProps) {
  const [, lead = '', visible = ''] = /^(\s*)(.*)$/s.exec(chip.text) ?? []
  // Of a token of spaces alone these are what is seen.
  const [space, inside] = visible === '' ? ['', lead] : [lead, visible]
  const words = visible.trim() === '' ? (lead.includes('\n') ? text().lineEnd : text().space) : visible.trim()
  const [token] = chip.tokens
  const rank = token && chip.tokens.length === 1 ? rankOf(token) : null
  return (
    <>
      {space}
      <span
        class={`token token-${tintOf(chip.probability)}${isSpecial ? ' token-special' : ''}`}
        role="button"
        aria-haspopup="dialog"
        aria-expanded={isSelected}
        aria-label={text().name(words, (100 * chip.probability).toFixed(1), rank, token?.top.length ?? 0)}
        tabIndex={isReached ? 0 : -1}
        data-chip={at}
      >
        {inside.includes('\n') ? (
          <>
            <span class="token-end">{'↵'.repeat(inside.split('\n').length - 1)}</span>
            {inside}
          </>
        ) : (
          inside
        )}
      </span>
    </>
  )
})

/** What the tints mean. */
export function TintLegend() {
  return (
    <div class="tint-legend" aria-hidden="true">
      {['≥ 90 %', '60–90', '30–60', '10–30', '< 10'].map((name, i) => (
        <span key={name} class={`token-${i}`}>
          {name}
        </span>
      ))}
    </div>
  )
}
