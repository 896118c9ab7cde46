import './markdown.css'
import { Fragment, type JSX } from 'preact'
import { memo } from './memo.js'
import { words } from '../app/language.js'
import { Button } from './button.js'
import { CopyIcon } from './copy.js'
import { highlight } from './highlight.js'
import { markdown, type Block, type Cell, type Inline } from './markdown-tree.js'
import { useSignal } from '@preact/signals'

const text = words({
  en: { code: 'Code', copy: 'Copy the code', all: (count: string) => `Show all ${count} characters` },
  zh: { code: '代码', copy: '复制代码', all: (count) => `显示全部 ${count} 个字符` },
})

/** Longer texts are folded, to this many characters. */
const most = 50_000
const folded = 4000

/** A text of Markdown as elements; never as HTML. */
export const Markdown = memo(function Markdown({ source }: { readonly source: string }) {
  const isOpen = useSignal(false)
  const isFolded = source.length > most && !isOpen.value
  return (
    <div class="markdown" dir="auto">
      {isOpen.value && source.length > most ? (
        // Of texts this long the characters are shown, not what they mean.
        <p class="markdown-plain">{source}</p>
      ) : (
        <Blocks blocks={markdown(isFolded ? source.slice(0, folded) : source)} />
      )}
      {isFolded && (
        <p>
          <Button small onClick={() => (isOpen.value = true)}>
            {text().all(source.length.toLocaleString('en'))}
          </Button>
        </p>
      )}
    </div>
  )
})

function Blocks({ blocks }: { readonly blocks: readonly Block[] }) {
  return (
    <>
      {blocks.map((block, i) => (
        <BlockView key={i} block={block} />
      ))}
    </>
  )
}

function BlockView({ block }: { readonly block: Block }) {
  switch (block.kind) {
    case 'paragraph':
      return (
        <p>
          <Inlines parts={block.children} />
        </p>
      )
    case 'heading':
      return (
        <p
          class={`markdown-heading markdown-heading-${Math.min(3, block.depth)}`}
          role="heading"
          aria-level={Math.min(6, block.depth + 2)}
        >
          <Inlines parts={block.children} />
        </p>
      )
    case 'code':
      return <Code text={block.text} language={block.language} />
    case 'quote':
      return (
        <blockquote>
          <Blocks blocks={block.children} />
        </blockquote>
      )
    case 'list': {
      const items = block.items.map(({ done, children }, i) => (
        <li key={i} class={done === null ? undefined : 'markdown-task'}>
          {done !== null && (done ? '☑ ' : '☐ ')}
          <Blocks blocks={children} />
        </li>
      ))
      return block.start === null ? <ul>{items}</ul> : <ol start={block.start}>{items}</ol>
    }
    case 'rule':
      return <hr />
    case 'table':
      return (
        <div class="markdown-table" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <Cells cells={block.head} as="th" />
              </tr>
            </thead>
            <tbody>
              {block.rows.map((row, i) => (
                <tr key={i}>
                  <Cells cells={row} as="td" />
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )
  }
}

function Cells({ cells, as: Name }: { readonly cells: readonly Cell[]; readonly as: 'th' | 'td' }) {
  return (
    <>
      {cells.map(({ align, children }, i) => (
        <Name key={i} style={align === null ? undefined : { textAlign: align }}>
          <Inlines parts={children} />
        </Name>
      ))}
    </>
  )
}

function Inlines({ parts }: { readonly parts: readonly Inline[] }): JSX.Element {
  return (
    <>
      {parts.map((part, i) => (
        <InlineView key={i} part={part} />
      ))}
    </>
  )
}

function InlineView({ part }: { readonly part: Inline }) {
  switch (part.kind) {
    case 'text':
      return <Fragment>{part.text}</Fragment>
    case 'code':
      return <code>{part.text}</code>
    case 'break':
      return <br />
    case 'link':
      return (
        <>
          <a href={part.href} target="_blank" rel="noopener noreferrer">
            <Inlines parts={part.children} />
          </a>
          {part.shown !== null && <span class="markdown-address"> ({part.shown})</span>}
        </>
      )
    default: {
      const Name = part.kind
      return (
        <Name>
          <Inlines parts={part.children} />
        </Name>
      )
    }
  }
}

/** A block of code: scrolls inside of itself. */
function Code({ text: code, language }: { readonly text: string; readonly language: string }) {
  return (
    <figure class="code">
      <figcaption class="code-head">
        <span>{language === '' ? text().code : language}</span>
        <CopyIcon value={code} label={text().copy} />
      </figcaption>
      <pre class="code-text" tabIndex={0}>
        <code>
          {highlight(code, language).map(({ kind, text: own }, i) =>
            kind === 'plain' ? (
              own
            ) : (
              <span key={i} class={`code-${kind}`}>
                {own}
              </span>
            ),
          )}
        </code>
      </pre>
    </figure>
  )
}
