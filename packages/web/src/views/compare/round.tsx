import './round.css'
import { memo } from '../../components/memo.js'
import { useMemo, useState } from 'preact/hooks'
import { languageOf } from '../../app/language.js'
import { Button, IconButton } from '../../components/button.js'
import { TextInput } from '../../components/field.js'
import { Notice } from '../../components/notice.js'
import { TokenChips } from '../../components/token-chip.js'
import { TokenPopover } from '../../components/token-popover.js'
import { chipsOf } from '../../components/chips.js'
import { factsOf } from '../chat/turn.js'
import { text as chatText } from '../chat/text.js'
import { isEnded, type Round, type Side } from './comparison.js'
import { commonBeginning, difference, settled, type Part } from './difference.js'
import type { CompareSession } from './session.js'
import { text } from './text.js'

export type Mark = 'words' | 'probability' | 'off'

export interface RoundProps {
  readonly session: CompareSession
  readonly round: Round
  readonly mark: Mark
  /** On a phone the one side that is shown; null for both. */
  readonly shown: 'a' | 'b' | null
}

/** How far two answers go together. */
function beginning({ a, b }: Round): string | null {
  if (!isEnded(a) || !isEnded(b)) return null
  if (a.content === b.content) return text().allSame
  const tokens = ({ answer }: Side) => (answer.tokens ?? []).map((token) => token.text)
  const same = commonBeginning(tokens(a), tokens(b))
  return same > 1 ? text().sameBeginning(same) : text().differsFrom(same + 1)
}

/** A prompt, and what both sides answer. */
export const RoundView = memo(function RoundView({ session, round, mark, shown }: RoundProps) {
  const [draft, setDraft] = useState<string | null>(null)
  const { a, b } = round
  const isWhole = isEnded(a) && isEnded(b)
  const found = useMemo(
    () => (isWhole ? difference(a.content, b.content) : null),
    [isWhole, a?.content, b?.content],
  )
  const common = isWhole ? 0 : settled(a?.content ?? '', b?.content ?? '')
  const save = () => {
    if (draft !== null && draft.trim() !== '') session.again(round.id, { text: draft })
    setDraft(null)
  }
  return (
    <section class="round" aria-label={round.text}>
      <header class="round-head">
        {draft === null ? (
          <h2 class="round-prompt" lang={languageOf(round.text)} dir="auto">
            {round.text}
          </h2>
        ) : (
          <TextInput
            label={text().edit}
            value={draft}
            autoFocus
            onInput={setDraft}
            onEnter={save}
            onKeyDown={(event) => {
              if (event.key === 'Escape') setDraft(null)
            }}
          />
        )}
        <span class="round-same">{beginning(round)}</span>
        <IconButton icon="refresh" label={text().again} onClick={() => session.again(round.id)} />
        <IconButton
          icon="edit"
          label={text().edit}
          pressed={draft !== null}
          onClick={() => setDraft(draft === null ? round.text : null)}
        />
      </header>
      <div class={`round-sides${shown === null ? '' : ' round-one'}`}>
        {(['a', 'b'] as const).map((name) =>
          shown !== null && shown !== name ? null : (
            <SideView
              key={name}
              {...{ session, round, name, mark, common }}
              parts={mark === 'words' ? (found?.[name] ?? null) : null}
            />
          ),
        )}
      </div>
    </section>
  )
})

interface SideProps {
  readonly session: CompareSession
  readonly round: Round
  readonly name: 'a' | 'b'
  readonly mark: Mark
  /** Marked once both have ended. */
  readonly parts: readonly Part[] | null
  /** Characters that are settled while both are written. */
  readonly common: number
}

function SideView({ session, round, name, mark, parts, common }: SideProps) {
  const side = round[name]
  const { answer, content = '' } = side ?? {}
  return (
    <article
      class="side"
      aria-label={text().side(name.toUpperCase())}
      aria-busy={answer?.end === 'writing'}
      lang={languageOf(content)}
    >
      {answer && answer.reasoning !== '' && (
        <details class="turn-thoughts">
          <summary>{chatText().thought((answer.thought ?? 0).toFixed(1))}</summary>
          <div class="turn-thoughts-text">{answer.reasoning}</div>
        </details>
      )}
      {side && mark === 'probability' && answer?.tokens && answer.tokens.length > 0 ? (
        <SideTokens side={side} />
      ) : (
        <div class="side-text" dir="auto">
          {parts ? (
            <Parts parts={parts} name={name} />
          ) : mark === 'words' && answer?.end === 'writing' ? (
            <>
              {content.slice(0, common)}
              <span class="side-open">{content.slice(common)}</span>
            </>
          ) : (
            content
          )}
        </div>
      )}
      {answer?.end === 'failed' && (
        <div class="side-failed">
          <Notice
            fault={answer.error}
            actions={
              <Button small onClick={() => session.again(round.id, { sides: [name] })}>
                {text().tryAgain}
              </Button>
            }
          />
        </div>
      )}
      {answer && answer.end !== 'failed' && (
        <p class="side-facts">
          {answer.end === 'writing'
            ? `${factsOf(answer, false)} · ${text().writing}`
            : factsOf(answer, false).replace(
                chatText().ends.length,
                text().cutAt(answer.usage?.completion ?? answer.count),
              )}
        </p>
      )}
    </article>
  )
}

/** A text with what one side alone has. */
function Parts({ parts, name }: { readonly parts: readonly Part[]; readonly name: 'a' | 'b' }) {
  const first = parts.findIndex(({ only }) => only)
  return (
    <>
      {parts.map(({ text: own, only }, i) => {
        if (!only) return own
        // Spaces and line ends behind a mark are no part of it.
        const inside = own.trimEnd()
        return (
          <span key={i}>
            {i === first && <FirstMark />}
            {inside.split(/(\n+)/).map((line, j) =>
              // Line ends between two marks are drawn as such, not tinted.
              line.trim() === '' ? (
                line
              ) : (
                <mark key={j} class={`only-${name}`}>
                  {line}
                </mark>
              ),
            )}
            {own.slice(inside.length)}
          </span>
        )
      })}
    </>
  )
}

/** Where two answers part. */
export const FirstMark = () => (
  <svg
    class="first-mark"
    width="8"
    height="8"
    viewBox="0 0 8 8"
    role="img"
    aria-label={text().firstDifference}
  >
    <path d="M4 0l4 4-4 4-4-4z" fill="currentColor" />
  </svg>
)

function SideTokens({ side }: { readonly side: Side }) {
  const [open, setOpen] = useState<{ readonly at: number; readonly element: Element } | null>(null)
  const tokens = side.answer.tokens!
  const chip = open && chipsOf(tokens, side.content)[open.at]
  return (
    <div class="side-tokens">
      <TokenChips
        tokens={tokens}
        answer={side.content}
        selected={open?.at ?? null}
        onOpen={(at, element, how) => setOpen(at === open?.at && how === 'click' ? null : { at, element })}
      />
      {open && chip && (
        <TokenPopover
          key={open.at}
          {...{ chip, anchor: open.element, still: true }}
          onClose={() => setOpen(null)}
          onMove={(by) => {
            const next = open.element.parentElement?.querySelector(`[data-chip="${open.at + by}"]`)
            if (next) setOpen({ at: open.at + by, element: next })
          }}
        />
      )}
    </div>
  )
}
