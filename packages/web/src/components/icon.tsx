/** Paths on 16 x 16, stroke 1.5, round; `f` marks those that are filled. */
const paths = {
  brand: ['M2.5 2.5c0 6 4.5 10.5 11 11'],
  chat: ['M2.5 3h11v8H7l-3 2.5V11H2.5z'],
  compare: ['M2.5 3h4v10h-4z', 'M9.5 3h4v10h-4z'],
  runs: ['M2.5 2.5v11h11', 'M5 3.5c.5 4.5 3.5 6.5 8 7'],
  data: ['M2.5 4h11', 'M2.5 8h8', 'M2.5 12h11'],
  new: ['M8 3v10', 'M3 8h10'],
  plus: ['M8 3v10', 'M3 8h10'],
  minus: ['M3 8h10'],
  stop: ['f M4 4.8c0-.5.3-.8.8-.8h6.4c.5 0 .8.3.8.8v6.4c0 .5-.3.8-.8.8H4.8c-.5 0-.8-.3-.8-.8z'],
  play: ['M5 3.5v9l7-4.5z'],
  check: ['M3 8.5l3.5 3.5L13 4.5'],
  warning: ['M8 2.5l6 11H2z', 'M8 6.5v3', 'M8 11.6v.1'],
  info: ['M8 2a6 6 0 1 0 0 12 6 6 0 0 0 0-12z', 'M8 7.5v3.5', 'M8 5v.1'],
  close: ['M3.5 3.5l9 9', 'M12.5 3.5l-9 9'],
  'chevron-down': ['M4 6l4 4 4-4'],
  'chevron-left': ['M10 4L6 8l4 4'],
  'chevron-right': ['M6 4l4 4-4 4'],
  up: ['M8 13V3', 'M4 7l4-4 4 4'],
  down: ['M8 3v10', 'M4 9l4 4 4-4'],
  search: ['M7 3a4 4 0 1 0 0 8 4 4 0 0 0 0-8z', 'M10 10l3.5 3.5'],
  menu: ['M2.5 4h11', 'M2.5 8h8', 'M2.5 12h11'],
  more: [
    'f M3.5 6.9a1.1 1.1 0 1 0 0 2.2 1.1 1.1 0 0 0 0-2.2z',
    'f M8 6.9a1.1 1.1 0 1 0 0 2.2 1.1 1.1 0 0 0 0-2.2z',
    'f M12.5 6.9a1.1 1.1 0 1 0 0 2.2 1.1 1.1 0 0 0 0-2.2z',
  ],
  sliders: [
    'M2.5 5h6',
    'M12.5 5h1',
    'M10.5 3.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z',
    'M2.5 11h1',
    'M7.5 11h6',
    'M5.5 9.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z',
  ],
  copy: ['M6 6h7.5v7.5H6z', 'M10 3.5V2.5H2.5V10h1'],
  edit: ['M3 13l.7-3 7-7 2.3 2.3-7 7z'],
  refresh: ['M13 5.5A5.5 5.5 0 1 0 13.5 8', 'M13.2 2.5v3.2H10'],
  branch: [
    'M4.5 3a1.3 1.3 0 1 0 0 2.6 1.3 1.3 0 0 0 0-2.6z',
    'M4.5 10.4a1.3 1.3 0 1 0 0 2.6 1.3 1.3 0 0 0 0-2.6z',
    'M11.5 5a1.3 1.3 0 1 0 0 2.6 1.3 1.3 0 0 0 0-2.6z',
    'M4.5 5.6v4.8',
    'M11.5 7.6c0 2.2-4 1.4-6.5 3',
  ],
  bars: ['M2.5 10h2.8v3.5H2.5z', 'M6.6 7h2.8v6.5H6.6z', 'M10.7 3.5h2.8v10h-2.8z'],
  file: ['M4 2.5h5l3 3v8H4z', 'M9 2.5v3h3'],
  lines: ['M2.5 4h11', 'M2.5 8h11', 'M2.5 12h7'],
  open: ['M7 3.5H3v9.5h9.5V9', 'M9.5 2.5h4v4', 'M13.3 2.7L7.5 8.5'],
  download: ['M8 2.5v8', 'M4.5 7.5L8 11l3.5-3.5', 'M2.5 13.5h11'],
  trash: ['M3 4.5h10', 'M6 4.5v-2h4v2', 'M4.5 4.5l.5 9h6l.5-9'],
  lock: ['M4 7h8v6.5H4z', 'M5.5 7V5a2.5 2.5 0 0 1 5 0v2'],
  sun: [
    'M8 5.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z',
    'M8 1.5v1.2',
    'M8 13.3v1.2',
    'M1.5 8h1.2',
    'M13.3 8h1.2',
    'M3.4 3.4l.85.85',
    'M11.75 11.75l.85.85',
    'M3.4 12.6l.85-.85',
    'M11.75 4.25l.85-.85',
  ],
  moon: ['M13 9.5A5.5 5.5 0 1 1 6.5 3 4.5 4.5 0 0 0 13 9.5z'],
  system: ['M2.5 3.5h11v7.5h-11z', 'M5.5 13.5h5'],
  enter: ['M13 4v4.5H3.5', 'M6.5 5.5l-3 3 3 3'],
  ring: ['M8 2.5a5.5 5.5 0 1 1-5.5 5.5'],
  dot: ['f M8 3.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9z'],
} satisfies Record<string, readonly string[]>

export type IconName = keyof typeof paths

/** A drawing beside words, which readers of screens pass over. */
export function Icon({ name, size = 16 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg
      class={`icon icon-${name}`}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {paths[name].map((path) =>
        path.startsWith('f ') ? (
          <path key={path} d={path.slice(2)} fill="currentColor" stroke="none" />
        ) : (
          <path key={path} d={path} />
        ),
      )}
    </svg>
  )
}
