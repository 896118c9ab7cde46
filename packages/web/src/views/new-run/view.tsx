import './new-run.css'
import { useEffect, useRef, useState } from 'preact/hooks'
import { postJson } from '../../api/client.js'
import type { SchemaReply, StartReply } from '../../api/types.js'
import { machine } from '../../app/connection.js'
import { faultLine, faultOf, type Fault } from '../../app/faults.js'
import { useKeys } from '../../app/keys.js'
import { language } from '../../app/language.js'
import { go, pathOf, route } from '../../app/routes.js'
import { isNarrow, isPhone } from '../../app/width.js'
import { Button } from '../../components/button.js'
import { Icon } from '../../components/icon.js'
import { Loading } from '../../components/loading.js'
import { Notice } from '../../components/notice.js'
import { Switch } from '../../components/switch.js'
import { toast } from '../../components/toast.js'
import { TopBar } from '../../components/top-bar.js'
import { CommandPanel } from './command-panel.js'
import { renamed } from './draft.js'
import { Form } from './form.js'
import { labelOf } from './label.js'
import { fieldFault } from './fault.js'
import { PlanFigures, PlanPanel } from './plan-panel.js'
import {
  askForPlan,
  beginAt,
  draft,
  faults,
  fields,
  open,
  plan,
  planProblem,
  readSchema,
  saved,
  schema,
  schemaProblem,
  set,
  unknown,
  wrong,
} from './state.js'
import { text } from './text.js'

/** A new run: a form of the config, what it would be, and the command that it equals. */
export function NewRunView() {
  const words = text()
  const { id, query } = route.value
  const given = query.get('data')
  const [failure, setFailure] = useState<Fault | string | null>(null)
  const [busy, setBusy] = useState(false)
  const file = useRef<HTMLInputElement>(null)
  const { config, name, title, from } = draft.value
  // A form shown before its beginning is there would lose what is typed until then.
  const [begun, setBegun] = useState<string | null>(null)
  const isOpening = id !== null && from !== id && begun !== id
  useEffect(() => {
    if (schema.value === null) void readSchema()
  }, [])
  useEffect(() => {
    if (id === null) return
    beginAt(id)
      .then(() => {
        // Data whose columns were mapped in the view of data.
        if (given === null) return
        set('data', JSON.parse(given))
        go(pathOf('new', id), { replace: true })
      })
      .catch((error: unknown) => {
        setFailure(faultOf(error))
      })
      .finally(() => {
        setBegun(id)
      })
  }, [id, given])
  useEffect(() => {
    askForPlan(config)
  }, [config])

  const toMend = mendOf()
  const why =
    machine.value?.canStart === false
      ? faultLine({ code: 'cannot_start', message: machine.value.whyNot ?? words.startOff })
      : null
  const isOff = toMend.length > 0 || why !== null
  const start = async () => {
    if (isOff || isOpening || busy) return
    setBusy(true)
    try {
      const reply = await postJson<StartReply>('/api/runs', { config, ...(name !== '' && { name }) })
      setFailure(null)
      go(pathOf('run', reply.id))
    } catch (error) {
      setFailure(faultOf(error))
    } finally {
      setBusy(false)
    }
  }
  useKeys({ 'mod+Enter': { run: () => void start(), whileTyping: true } })

  const keep = () => {
    const { weights } = config
    const base = name || (typeof weights === 'string' ? weights : words.empty).split('/').at(-1)!
    let free = base
    for (let i = 2; free in saved.value; i++) free = `${base}-${i}`
    saved.value = { ...saved.value, [free]: config }
    toast(words.saved(free))
  }
  const all = schema.value
  return (
    <>
      <TopBar
        title={words.newRun}
        beside={title !== null && words.from(title)}
        actions={
          <>
            <input
              ref={file}
              type="file"
              accept=".json,application/json"
              hidden
              onChange={(event) => {
                const input = event.currentTarget
                const [chosen] = input.files ?? []
                if (chosen)
                  void openFile(chosen).then((problem) => {
                    setFailure(problem)
                    input.value = ''
                  })
              }}
            />
            {!isPhone.value && (
              <>
                <Button kind="quiet" onClick={() => file.current?.click()}>
                  {words.open}
                </Button>
                <Button kind="quiet" onClick={keep}>
                  {words.save}
                </Button>
              </>
            )}
            <Button
              kind="primary"
              icon="play"
              busy={busy && words.starting}
              off={
                why ??
                (toMend.length > 0
                  ? words.mend(toMend.length) + toMend.map(({ label }) => label).join(', ')
                  : isOpening && '')
              }
              onClick={() => void start()}
            >
              {words.start}
            </Button>
          </>
        }
      />
      {all === null || isOpening ? (
        <div class="new-run-content">
          {schemaProblem.value === null ? (
            <Loading lines={8} />
          ) : (
            <Notice
              title={words.noSchema}
              fault={schemaProblem.value}
              actions={
                <Button small onClick={() => void readSchema()}>
                  {words.tryNow}
                </Button>
              }
            />
          )}
        </div>
      ) : (
        <Shown all={all} failure={failure} why={why} toMend={toMend} />
      )}
    </>
  )
}

interface Mend {
  readonly path: string
  readonly label: string
}

/** Fields that are to be mended before a run can start, in the order of the form. */
function mendOf(): Mend[] {
  const paths = new Set([...wrong.value.keys(), ...faults.value.map(({ path }) => path)])
  const problem = plan.value?.reply.problem
  if (problem?.param != null) paths.add(problem.param)
  const known = fields.value
  const place = (path: string) =>
    known.findIndex((field) => field.path === path || path.startsWith(`${field.path}.`))
  return [...paths]
    .sort((a, b) => place(a) - place(b))
    .map((path) => ({
      path,
      label: known[place(path)] === undefined ? path : labelOf(known[place(path)]!, language.value),
    }))
}

function Shown({
  all,
  failure,
  why,
  toMend,
}: {
  readonly all: SchemaReply
  readonly failure: Fault | string | null
  readonly why: string | null
  readonly toMend: readonly Mend[]
}) {
  const words = text()
  const [showsAll, setShowsAll] = useState(false)
  const [section, setSection] = useState<string>(all.sections[0]?.key ?? '')
  const form = useRef<HTMLDivElement>(null)
  // The section at the top of what is seen is the current one.
  useEffect(() => {
    const own = form.current
    if (own === null) return
    const look = () => {
      const heads = [...own.querySelectorAll<HTMLElement>('[data-section]')]
      const top = own.getBoundingClientRect().top + 80
      const current = heads.filter((head) => head.getBoundingClientRect().top <= top).at(-1) ?? heads[0]
      setSection(current?.dataset['section'] ?? '')
    }
    own.addEventListener('scroll', look, { passive: true })
    return () => {
      own.removeEventListener('scroll', look)
    }
  }, [])
  const reply = plan.value?.reply ?? null
  const cut = reply?.plan?.cut ?? 0
  const count = fields.value.length
  const marks = (key: string, paths: readonly string[]) => {
    const isWrong = paths.some((path) => fieldFault(path) !== null)
    if (isWrong) return <Icon name="warning" />
    return key === 'data' && cut > 0 ? (
      <span class="new-run-cautious">
        <Icon name="warning" />
      </span>
    ) : null
  }
  const foot = (
    <>
      {toMend.length > 0 && (
        <p class="new-run-mend" role="status">
          <Icon name="warning" />
          <span>
            {words.mend(toMend.length)}
            {toMend.map(({ path, label }, i) => (
              <>
                {i > 0 && ', '}
                <button
                  type="button"
                  key={path}
                  onClick={() => {
                    setShowsAll(true)
                    requestAnimationFrame(() => {
                      focusField(path)
                    })
                  }}
                >
                  {label}
                </button>
              </>
            ))}
          </span>
        </p>
      )}
      {why !== null && <Notice kind="caution">{why}</Notice>}
      {failure !== null && (
        <Notice title={words.notStarted} fault={typeof failure === 'string' ? null : failure}>
          {typeof failure === 'string' && failure}
        </Notice>
      )}
    </>
  )
  return (
    <div class="new-run">
      {isNarrow.value && <PlanFigures pinned />}
      <nav class="new-run-sections" aria-label={words.sections}>
        {all.sections.map(({ key, title: name, fields: own }) => (
          <button
            key={key}
            type="button"
            class="new-run-section-link"
            aria-current={section === key ? 'true' : undefined}
            onClick={() => {
              form.current?.querySelector(`[data-section="${key}"]`)?.scrollIntoView({ block: 'start' })
              setSection(key)
            }}
          >
            {name[language.value]}
            {marks(key, [...own.map(({ path }) => path), ...(key === 'method' ? methodPaths(all) : [])])}
          </button>
        ))}
        <p class="new-run-differs">
          <i /> {words.differs}
        </p>
        <Switch label={words.all(count)} checked={showsAll} onChange={setShowsAll} />
      </nav>
      <div class="new-run-form" ref={form}>
        {unknown.value.length > 0 && (
          <Notice kind="caution" title={words.unknownTitle(unknown.value.length)}>
            <ul class="new-run-unknown">
              {unknown.value.map(({ path, nearest }) => (
                <li key={path}>
                  <code>{path}</code>
                  {nearest !== null && (
                    <Button
                      small
                      onClick={() => {
                        draft.value = { ...draft.value, config: renamed(draft.value.config, path, nearest) }
                      }}
                    >
                      {words.rename(nearest)}
                    </Button>
                  )}
                  <Button
                    small
                    kind="quiet"
                    onClick={() => {
                      set(path, undefined)
                    }}
                  >
                    {words.drop}
                  </Button>
                </li>
              ))}
            </ul>
          </Notice>
        )}
        <Form all={all} showsAll={showsAll} />
        {isNarrow.value && (
          <>
            <PlanPanel />
            <CommandPanel />
            {foot}
          </>
        )}
      </div>
      {!isNarrow.value && (
        <aside class="new-run-plan" aria-label={words.plan}>
          <PlanPanel />
          <CommandPanel />
          {planProblem.value !== null && <Notice title={words.problem} fault={planProblem.value} />}
          {foot}
        </aside>
      )}
    </div>
  )
}

const methodPaths = (all: SchemaReply) =>
  all.methods.flatMap((method) => method.fields.map(({ path }) => path))

/** Brings a field into sight and the cursor into it. */
function focusField(path: string): void {
  const parts = path.split('.')
  for (let length = parts.length; length > 0; length--) {
    const at = document.querySelector(`[data-field="${CSS.escape(parts.slice(0, length).join('.'))}"]`)
    if (at === null) continue
    at.scrollIntoView({ block: 'center' })
    at.querySelector<HTMLElement>(
      'input, textarea, [role="combobox"], [role="radio"], [role="switch"]',
    )?.focus()
    return
  }
}

/** Opens a config file; the words of what is wrong with it, or null. */
async function openFile(file: File): Promise<string | null> {
  const words = text()
  try {
    const config: unknown = JSON.parse(await file.text())
    if (typeof config !== 'object' || config === null || Array.isArray(config)) return words.notObject
    open(config as Record<string, unknown>, null, file.name)
    return null
  } catch (error) {
    return words.notJson(error instanceof Error ? error.message : String(error))
  }
}
