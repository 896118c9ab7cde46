import './view.css'
import { signal } from '@preact/signals'
import { Fragment } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { connection, machine } from '../../app/connection.js'
import { history } from '../../app/history.js'
import { useKeys } from '../../app/keys.js'
import { language } from '../../app/language.js'
import { go, pathOf, route } from '../../app/routes.js'
import { json, oneOf, stored } from '../../app/stored.js'
import { useTabTitle } from '../../app/tab-title.js'
import { isNarrow, isPhone } from '../../app/width.js'
import { Button, IconButton } from '../../components/button.js'
import { Drawer } from '../../components/drawer.js'
import { Empty } from '../../components/empty.js'
import { Icon } from '../../components/icon.js'
import { Loading } from '../../components/loading.js'
import { Notice } from '../../components/notice.js'
import { TopBar } from '../../components/top-bar.js'
import type { ViewProps } from '../index.js'
import { Announcer } from './announcer.js'
import { Composer } from './composer.js'
import { EntryMenu } from './entry-menu.js'
import { ModelPicker } from './model-picker.js'
import { base, models, watchModels } from './models.js'
import { ParameterDrawer } from './parameter-drawer.js'
import { brief } from './parameters.js'
import { newSession, sessionOf, type ChatSession } from './session.js'
import { text } from './text.js'
import { thread, type Turn } from './tree.js'
import { TurnView } from './turn.js'

/** Whether the parameters stand beside the conversation; on narrow screens they open over it, and not by themselves. */
const drawer = stored('chat.drawer', () => 'open' as const, oneOf<'open' | 'closed'>('open', 'closed'))
const isOver = signal(false)

/** What is written and not sent: a reload keeps it. Of a new conversation `id` is null. */
const kept = stored(
  'chat.draft',
  () => ({ id: null as string | null, text: '' }),
  json(
    (value): value is { id: string | null; text: string } =>
      typeof value === 'object' && value !== null && 'text' in value && typeof value.text === 'string',
  ),
)

function useDraft(session: ChatSession) {
  const id = session.isNew && session.shown.value.length === 0 ? null : session.id
  const [draft, setDraft] = useState(kept.peek().id === id ? kept.peek().text : '')
  const change = (value: string) => {
    setDraft(value)
    kept.value = { id, text: value }
  }
  return [draft, change] as const
}

export function ChatView({ id }: ViewProps) {
  const [session, setSession] = useState<ChatSession | null>(null)
  watchModels()
  useEffect(() => {
    if (id === null) setSession(newSession())
    else {
      let isOld = false
      void sessionOf(id).then((found) => {
        if (!isOld) setSession(found)
      })
      return () => {
        isOld = true
      }
    }
  }, [id])
  if (session === null || (id !== null && session.id !== id)) return <TopBar title={text().title} />
  return <Conversation key={session.id} session={session} />
}

function Conversation({ session }: { readonly session: ChatSession }) {
  const { shown } = session
  const [draft, setDraft] = useDraft(session)
  const [edited, setEdited] = useState<string | null>(null)
  const title = history.value.find(({ id }) => id === session.id)?.title
  useTabTitle(title ?? text().title)
  const conversation = session.conversation.value
  const isOpen = isNarrow.value ? isOver.value : drawer.value === 'open'
  const toggle = () => {
    if (isNarrow.value) isOver.value = !isOver.value
    else drawer.value = isOpen ? 'closed' : 'open'
  }
  const { isWriting } = session
  useEffect(() => {
    // From its first message on a conversation has an address.
    if (shown.value.length > 0 && route.value.view === 'chat' && route.value.id !== session.id)
      go(pathOf('chat', session.id), { replace: true })
  }, [shown.value.length])
  useEffect(() => {
    if (isWriting.value) return
    const timer = setTimeout(() => void session.count(), 300)
    return () => clearTimeout(timer)
  }, [isWriting.value, shown.value, conversation.system, session.model?.id, conversation.sentFrom])
  const lastUser = () => shown.value.findLast(({ role }) => role === 'user')
  const branch = (by: 1 | -1) => {
    const turn = shown.value.findLast(
      ({ parent }) => conversation.turns.filter((one) => one.parent === parent).length > 1,
    )
    if (turn) session.branch(turn, by)
  }
  const send = () => {
    session.send(draft)
    setDraft('')
  }
  useKeys({
    Escape: { run: () => session.stop(), whileTyping: true },
    r: () => {
      const { lastAnswer } = session
      if (lastAnswer && !isWriting.value) session.regenerate(lastAnswer)
    },
    t: () => session.set({ tint: !conversation.tint }),
    p: toggle,
    '[': () => branch(-1),
    ']': () => branch(1),
  })
  const isReady = models.value.length > 0 && connection.value !== 'lost'
  return (
    <>
      <TopBar
        name={title ?? text().title}
        title={<ModelPicker value={session.model} onChange={(model) => session.set({ model })} />}
        actions={
          <>
            {isPhone.value ? (
              <a class="icon-button" href={comparePath(session)} aria-label={text().compare}>
                <Icon name="compare" />
              </a>
            ) : (
              <Button kind="quiet" icon="compare" href={comparePath(session)}>
                {text().compareWith}
              </Button>
            )}
            <EntryMenu id={session.id} kind="chat" onDelete={() => session.stop()} />
            <IconButton icon="sliders" label={text().parameters} keys="P" pressed={isOpen} onClick={toggle} />
          </>
        }
      />
      <div class="chat">
        <div class="chat-main">
          <Thread session={session} edited={edited} onEdit={setEdited} />
          <div class="chat-foot">
            <Full session={session} />
            <Composer
              value={draft}
              onInput={setDraft}
              placeholder={text().write}
              off={!isReady}
              onSend={send}
              onStop={isWriting.value ? () => session.stop() : null}
              onUp={() => setEdited(lastUser()?.id ?? null)}
            >
              <Settings session={session} />
            </Composer>
          </div>
        </div>
        <Drawer label={text().parameters} open={isOpen} onClose={toggle}>
          <ParameterDrawer session={session} />
        </Drawer>
      </div>
      <Announcer turn={session.lastAnswer} />
    </>
  )
}

/** The comparison of the model of a conversation with its base, on its last question. */
function comparePath(session: ChatSession): string {
  const question = session.shown.value.findLast(({ role }) => role === 'user')
  const other = session.model?.parent === undefined ? models.value[1]?.id : session.model.id
  return pathOf('compare', null, {
    ...(base.value && { a: base.value.id }),
    ...(other !== undefined && { b: other }),
    ...(question && { prompt: question.content.slice(0, 2000) }),
  })
}

/** Settings that count most, and how much of the context is used. */
function Settings({ session }: { readonly session: ChatSession }) {
  const { temperature, topP, seed } = session.conversation.value.parameters
  const most = session.model?.max_model_len ?? null
  const under = session.isWriting.value ? (session.lastAnswer?.answer?.count ?? 0) : 0
  const used = (session.tokens.value?.length ?? 0) + under
  return (
    <>
      <span>
        {`T ${brief(temperature)} · top-p ${brief(topP)}`}
        {seed !== null && ` · ${text().withSeed(seed)}`}
      </span>
      {used > 0 && (
        <span class="chat-context">
          {most !== null && (
            <span class="chat-context-bar" aria-hidden="true">
              <span style={{ width: `${Math.min(100, (100 * used) / most)}%` }} />
            </span>
          )}
          {most === null
            ? text().contextUnbounded(used.toLocaleString('en'))
            : text().context(used.toLocaleString('en'), most.toLocaleString('en'))}
        </span>
      )}
    </>
  )
}

/** Which turns no longer fit. */
function Full({ session }: { readonly session: ChatSession }) {
  const found = session.full.value
  if (found === null) return null
  const { drop, tokens, most } = found
  return (
    <Notice
      kind="caution"
      title={text().full(tokens.toLocaleString('en'), most.toLocaleString('en'))}
      actions={
        <>
          {drop > 0 && (
            <Button small onClick={() => session.drop()}>
              {text().drop}
            </Button>
          )}
          <Button small href={pathOf('chat')}>
            {text().newChat}
          </Button>
        </>
      }
    >
      {text().fullText(drop)}
    </Notice>
  )
}

/** Pixels from the end within which one is at the end. */
const near = 40

function Thread({
  session,
  edited,
  onEdit,
}: {
  readonly session: ChatSession
  readonly edited: string | null
  readonly onEdit: (id: string | null) => void
}) {
  const turns = session.shown.value
  const { sentFrom } = session.conversation.value
  const frame = useRef<HTMLDivElement>(null)
  const [isAtEnd, setAtEnd] = useState(true)
  const toEnd = () => {
    const own = frame.current!
    own.scrollTop = own.scrollHeight
  }
  useLayoutEffect(() => {
    if (isAtEnd) toEnd()
  }, [turns])
  // One's own message is looked at wherever one was.
  const last = turns.at(-1)
  useLayoutEffect(() => {
    if (session.isWriting.peek()) toEnd()
  }, [last?.id])
  return (
    <div
      ref={frame}
      class="thread"
      onScroll={({ currentTarget: own }) =>
        setAtEnd(own.scrollHeight - own.scrollTop - own.clientHeight < near)
      }
    >
      <div class="thread-turns">
        {turns.length === 0 && <Beginning session={session} />}
        {turns.map((turn, i) => (
          <Fragment key={turn.id}>
            {turn.id === sentFrom && i > 0 && <p class="thread-line">{text().dropped}</p>}
            {isOther(turns, i) && <p class="thread-line">{text().from(turn.answer!.model)}</p>}
            <TurnView
              {...{ session, turn, onEdit }}
              isLast={i === turns.length - 1}
              isEdited={edited === turn.id}
            />
          </Fragment>
        ))}
        {last?.answer &&
          session.model &&
          last.answer.model !== session.model.id &&
          !session.isWriting.value && <p class="thread-line">{text().from(session.model.id)}</p>}
      </div>
      {!isAtEnd && (
        <div class="thread-newest">
          <Button small icon="down" onClick={toEnd}>
            {text().newest}
          </Button>
        </div>
      )}
    </div>
  )
}

/** Whether another model answers than the time before. */
function isOther(turns: ReturnType<typeof thread>, i: number): boolean {
  const { answer } = turns[i]!
  const before = turns.slice(0, i).findLast((turn: Turn) => turn.answer !== undefined)
  return answer !== undefined && before !== undefined && before.answer!.model !== answer.model
}

/** What is there before the first message. */
function Beginning({ session }: { readonly session: ChatSession }) {
  const { model } = machine.value ?? {}
  if (session.model) return <Empty title={text().empty} text={text().emptyText(session.model.id)} />
  if (model === null)
    return (
      <Empty title={text().noModel} text={text().noModelText} command="npx ift serve --weights ./model" />
    )
  if (model?.state === 'failed')
    return (
      <Notice title={text().failedModel} log={model.error}>
        {language.value === 'en' && model.error?.split('\n')[0]}
      </Notice>
    )
  return <Loading lines={3} what={text().loadingModel} />
}
