import './turn.css'
import { memo } from '../../components/memo.js'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { machine } from '../../app/connection.js'
import { faultLine } from '../../app/faults.js'
import { languageOf } from '../../app/language.js'
import { go, pathOf } from '../../app/routes.js'
import { Button, IconButton } from '../../components/button.js'
import { answerFrom, chipsOf } from '../../components/chips.js'
import { CopyIcon } from '../../components/copy.js'
import { Markdown } from '../../components/markdown.js'
import { Notice } from '../../components/notice.js'
import { TokenChips } from '../../components/token-chip.js'
import { TokenPopover } from '../../components/token-popover.js'
import { splitOff, type ChatSession } from './session.js'
import { text } from './text.js'
import { branchOf, type Answer, type Turn } from './tree.js'

export interface TurnProps {
  readonly session: ChatSession
  readonly turn: Turn
  /** Its place among its branches, from 0, and their number. */
  readonly at: number
  readonly count: number
  readonly isEdited: boolean
  readonly onEdit: (id: string | null) => void
}

function Branches({ session, turn, at, count }: Pick<TurnProps, 'session' | 'turn' | 'at' | 'count'>) {
  if (count < 2) return null
  return (
    <span class="turn-branches">
      <IconButton
        icon="chevron-left"
        label={text().earlier}
        keys="["
        off={at === 0}
        onClick={() => session.branch(turn, -1)}
      />
      <span>{text().branch(at + 1, count)}</span>
      <IconButton
        icon="chevron-right"
        label={text().later}
        keys="]"
        off={at === count - 1}
        onClick={() => session.branch(turn, 1)}
      />
    </span>
  )
}

/** A message in place, as it may be instead. */
function Editor({ turn, session, onEdit }: Pick<TurnProps, 'turn' | 'session' | 'onEdit'>) {
  const [value, setValue] = useState(turn.content)
  const field = useRef<HTMLTextAreaElement>(null)
  useLayoutEffect(() => {
    const own = field.current!
    own.style.height = 'auto'
    own.style.height = `${Math.min(own.scrollHeight + 2, 400)}px`
    if (document.activeElement !== own) {
      own.focus()
      own.setSelectionRange(own.value.length, own.value.length)
    }
  }, [value])
  const save = () => {
    onEdit(null)
    if (value !== turn.content && value.trim() !== '') session.edit(turn, value)
  }
  return (
    <div class="turn-editor">
      <textarea
        ref={field}
        class="input input-area"
        aria-label={text().edit}
        value={value}
        onInput={(event) => setValue((event.target as HTMLTextAreaElement).value)}
        onKeyDown={(event) => {
          if (event.isComposing) return
          if (event.key === 'Escape') {
            event.preventDefault()
            onEdit(null)
          } else if (event.key === 'Enter' && !event.shiftKey && turn.role === 'user') {
            event.preventDefault()
            save()
          }
        }}
      />
      <div class="turn-editor-buttons">
        <Button kind="quiet" small onClick={() => onEdit(null)}>
          {text().cancel}
        </Button>
        <Button kind="primary" small onClick={save}>
          {turn.role === 'user' ? text().save : text().saveAnswer}
        </Button>
      </div>
    </div>
  )
}

/** What was asked. */
export const UserTurn = memo(function UserTurn(props: TurnProps) {
  const { session, turn, isEdited, onEdit } = props
  return (
    <article class="turn turn-user" aria-label={text().you}>
      {isEdited ? (
        <Editor {...{ turn, session, onEdit }} />
      ) : (
        <div class="turn-bubble" lang={languageOf(turn.content)} dir="auto">
          {turn.content}
        </div>
      )}
      <div class="turn-actions">
        <Branches {...props} />
        <IconButton icon="edit" label={text().edit} onClick={() => onEdit(turn.id)} />
        <CopyIcon value={turn.content} label={text().copy} />
      </div>
    </article>
  )
})

/** What a function gave. */
export function ResultTurn({ turn }: { readonly turn: Turn }) {
  return (
    <article class="turn" aria-label={text().result}>
      <details class="turn-call">
        <summary>{text().result}</summary>
        <pre tabIndex={0}>{turn.content}</pre>
      </details>
    </article>
  )
}

/** How an answer came to be, in one line. */
export function factsOf({ usage, count, seconds, first, seed, end }: Answer, isWhole: boolean): string {
  const tokens = usage?.completion ?? count
  const writing = seconds !== null && first !== null ? seconds - first : 0
  return [
    text().tokens(tokens.toLocaleString('en')),
    // Tokens that came at once had waited behind others: the time of the whole answer is theirs.
    tokens > 1 &&
      writing > 0 &&
      text().rate((writing < 0.02 ? tokens / seconds! : (tokens - 1) / writing).toFixed(1)),
    isWhole && first !== null && text().firstAfter(first.toFixed(2)),
    isWhole && end !== 'writing' && text().withSeed(seed),
    text().ends[end],
  ]
    .filter(Boolean)
    .join(' · ')
}

/** What was answered. */
export const AnswerTurn = memo(function AnswerTurn(
  props: TurnProps & { readonly tint: boolean; readonly isLast: boolean },
) {
  const { session, turn, isEdited, onEdit, tint, isLast } = props
  const answer = turn.answer!
  const isWriting = answer.end === 'writing'
  const scoring = session.scoring.value.get(turn.id)
  const canGoOn = isLast && (answer.end === 'stopped' || answer.end === 'length') && turn.content !== ''
  return (
    <article
      class="turn turn-answer"
      aria-label={`${text().answer}: ${answer.model}`}
      aria-busy={isWriting}
      lang={languageOf(turn.content)}
    >
      {answer.reasoning !== '' && (
        <details class="turn-thoughts">
          <summary>
            {answer.thought === null && isWriting
              ? text().thinking
              : text().thought((answer.thought ?? answer.seconds ?? 0).toFixed(1))}
          </summary>
          <div class="turn-thoughts-text">{answer.reasoning}</div>
        </details>
      )}
      {isEdited ? (
        <Editor {...{ turn, session, onEdit }} />
      ) : tint && answer.tokens !== null && answer.tokens.length > 0 ? (
        <Tinted session={session} turn={turn} />
      ) : (
        turn.content !== '' && <Markdown source={turn.content} />
      )}
      {answer.calls.map((call) => (
        <details key={call.id} class="turn-call" open>
          <summary>
            {text().calls} <code>{call.name}</code>
          </summary>
          <pre tabIndex={0}>{prettied(call.arguments)}</pre>
        </details>
      ))}
      {isWriting && <span class="turn-cursor" aria-hidden="true" />}
      {answer.end === 'failed' && (
        <div class="turn-failed">
          <Notice
            fault={answer.error}
            actions={
              isLast && (
                <Button
                  small
                  onClick={() => (turn.content === '' ? session.regenerate(turn) : session.goOn(turn))}
                >
                  {turn.content === '' ? text().again : text().goOnFromHere}
                </Button>
              )
            }
          />
        </div>
      )}
      {isWriting ? (
        <p class="turn-facts">{factsOf(answer, false)}</p>
      ) : (
        <div class="turn-actions">
          <Branches {...props} />
          <IconButton
            icon="refresh"
            label={text().regenerate}
            keys="R"
            onClick={() => session.regenerate(turn)}
          />
          <IconButton icon="edit" label={text().edit} onClick={() => onEdit(turn.id)} />
          <IconButton
            icon="branch"
            label={text().split}
            onClick={() => void splitOff(session, turn).then((id) => go(pathOf('chat', id)))}
          />
          <CopyIcon value={turn.content} label={text().copy} />
          <IconButton
            icon="bars"
            label={text().tint}
            keys="T"
            pressed={tint}
            onClick={() => session.set({ tint: !tint })}
          />
          <span class="turn-facts">{factsOf(answer, true)}</span>
          {canGoOn && (
            <Button small onClick={() => session.goOn(turn)}>
              {text().goOn}
            </Button>
          )}
          {tint && answer.tokens === null && turn.content !== '' && (
            <Button small busy={scoring === null && text().scoring} onClick={() => void session.score(turn)}>
              {text().score}
            </Button>
          )}
          {scoring && (
            <span class="turn-wrong" title={scoring.message}>
              {faultLine(scoring)}
            </span>
          )}
        </div>
      )}
      {isLast && answer.calls.length > 0 && !isWriting && (
        <Result session={session} callId={answer.calls.at(-1)!.id} />
      )}
    </article>
  )
})

function Result({ session, callId }: { readonly session: ChatSession; readonly callId: string }) {
  const [value, setValue] = useState('')
  return (
    <div class="turn-editor">
      <textarea
        class="input input-area input-mono"
        rows={2}
        aria-label={text().giveResult}
        placeholder={text().giveResult}
        value={value}
        onInput={(event) => setValue((event.target as HTMLTextAreaElement).value)}
      />
      <div class="turn-editor-buttons">
        <Button
          small
          off={value.trim() === '' ? '' : false}
          onClick={() => session.sendResult(value, callId)}
        >
          {text().sendResult}
        </Button>
      </div>
    </div>
  )
}

function prettied(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2)
  } catch {
    return json
  }
}

/** An answer by its tokens, and the ten likeliest in the place of one. */
function Tinted({ session, turn }: { readonly session: ChatSession; readonly turn: Turn }) {
  const [open, setOpen] = useState<{
    readonly at: number
    readonly element: Element
    readonly still: boolean
  } | null>(null)
  const { tokens } = turn.answer!
  if (tokens === null) return null
  const chips = open === null ? [] : chipsOf(tokens, turn.content)
  const chip = open && chips[open.at]
  // Of the answer, where the pieces of the chip begin.
  const start = open ? chips.slice(0, open.at).reduce((sum, one) => sum + one.tokens.length, 0) : 0
  return (
    <>
      <TokenChips
        tokens={tokens}
        answer={turn.content}
        selected={open?.at ?? null}
        specials={machine.value?.model?.specialTokens ?? []}
        onOpen={(at, element, how) =>
          setOpen(at === open?.at && how === 'click' ? null : { at, element, still: true })
        }
      />
      {open && chip && (
        <TokenPopover
          key={open.at}
          {...{ chip, anchor: open.element, still: open.still }}
          onClose={() => setOpen(null)}
          goOn={{
            can: (piece, token) => answerFrom(tokens, start + piece, token) !== null,
            run: (piece, token) => {
              const begun = answerFrom(tokens, start + piece, token)
              setOpen(null)
              if (begun) session.goOnFrom(turn, begun)
            },
          }}
          onMove={(by) => {
            const next = document.querySelector(`[data-turn="${turn.id}"] [data-chip="${open.at + by}"]`)
            if (next) setOpen({ at: open.at + by, element: next, still: true })
          }}
        />
      )}
    </>
  )
}

/** A turn in its form. */
export function TurnView({
  session,
  turn,
  isLast,
  isEdited,
  onEdit,
}: Omit<TurnProps, 'at' | 'count'> & { readonly isLast: boolean }) {
  const { at, count } = branchOf(session.conversation.value, turn)
  const shared = { session, turn, at, count, isEdited, onEdit }
  return (
    <div data-turn={turn.id}>
      {turn.role === 'user' ? (
        <UserTurn {...shared} />
      ) : turn.role === 'tool' ? (
        <ResultTurn turn={turn} />
      ) : (
        <AnswerTurn {...shared} isLast={isLast} tint={session.conversation.value.tint} />
      )}
    </div>
  )
}
