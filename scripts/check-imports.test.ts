import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { foreignImports, rulesOf } from './imports/packages.mjs'
import { upwardModules } from './imports/rust.mjs'
import { privateImports } from './imports/tests.mjs'
import { upwardImports } from './imports/typescript.mjs'

const repository = fileURLToPath(new URL('..', import.meta.url))
let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ift-imports-'))
})
afterEach(() => rmSync(root, { recursive: true }))

/** A tree of files, from their paths to their text. */
function plant(files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
}

test('this repository follows the rules', () => {
  expect(foreignImports(repository)).toEqual([])
  expect(upwardImports(repository)).toEqual([])
  expect(privateImports(repository)).toEqual([])
  expect(upwardModules(repository)).toEqual([])
})

describe('packages', () => {
  const rules = { 'packages/low': [], 'packages/high': ['@ift/low'] }

  test('an import of what lies above is named', () => {
    plant({
      'packages/low/src/index.ts': `import { high } from '@ift/high'\nimport { join } from 'node:path'\n`,
      'packages/high/src/index.ts': `import type { Low } from '@ift/low'\nexport * from '@ift/low/part'\n`,
    })
    expect(foreignImports(root, rules)).toEqual([
      'packages/low/src/index.ts imports @ift/high: packages/low may import nothing of ours',
    ])
  })

  test('a package that nobody lists may import what its kind may', () => {
    plant({
      'packages/model-new/src/index.ts': `import '@ift/core'\nimport '@ift/tokenizers'\nimport '@ift/peft-lora'\n`,
      'packages/datasets/new/src/index.ts': `import '@ift/core/testing'\nimport '@ift/tensor'\n`,
      'packages/silent/src/index.ts': `import '@ift/core'\n`,
    })
    const of = (folder: string, provides?: object) => ({
      folder,
      name: folder,
      json: provides ? { ift: { provides } } : {},
    })
    const found = rulesOf([
      of('packages/model-new', { model: {}, template: [] }),
      of('packages/datasets/new', { dataset: {} }),
      of('packages/silent'),
    ])
    expect(foreignImports(root, found)).toEqual([
      'packages/model-new/src/index.ts imports @ift/peft-lora: packages/model-new may import @ift/core, @ift/tensor, @ift/tokenizers',
      'packages/datasets/new/src/index.ts imports @ift/tensor: packages/datasets/new may import @ift/core',
      'packages/silent/src/index.ts imports @ift/core: packages/silent may import nothing of ours',
    ])
  })

  test('an import by path does not leave its package', () => {
    plant({
      'packages/low/src/index.ts': `import pack from '../package.json'\nexport const { version } = pack\n`,
      'packages/high/src/a/b.ts': `await import('../../../low/src/index.js')\nimport '../c.js'\n`,
    })
    expect(foreignImports(root, rules)).toEqual([
      'packages/high/src/a/b.ts imports ../../../low/src/index.js: outside of its package',
    ])
  })
})

describe('folders', () => {
  const rules = { 'packages/one/src': ['errors', 'atoms', 'molecules', 'index'] }

  test('an upward import is named, one downwards and one of a test are not', () => {
    plant({
      'packages/one/src/errors.ts': `import { a } from './atoms/a.js'\n`,
      'packages/one/src/atoms/a.ts': `import type { B } from '../molecules/b.js'\n`,
      'packages/one/src/atoms/a.test.ts': `import { b } from '../molecules/b.js'\n`,
      'packages/one/src/molecules/b.ts': `export { a } from '../atoms/a.js'\nexport * from './c.js'\n`,
      'packages/one/src/index.ts': `export * from './molecules/b.js'\nimport pack from '../package.json'\n`,
    })
    expect(upwardImports(root, rules).sort()).toEqual([
      'packages/one/src/atoms/a.ts imports ../molecules/b.js: atoms lies below molecules',
      'packages/one/src/errors.ts imports ./atoms/a.js: errors lies below atoms',
    ])
  })

  test('a folder without a layer is named', () => {
    plant({
      'packages/one/src/atoms/a.ts': `import { n } from '../new/n.js'\n`,
      'packages/one/src/new/n.ts': `import '../errors.js'\n`,
    })
    expect(upwardImports(root, rules).sort()).toEqual([
      'packages/one/src/atoms/a.ts imports ../new/n.js: the layers of packages/one/src name new nowhere',
      'packages/one/src/new/n.ts imports ../errors.js: the layers of packages/one/src name new nowhere',
    ])
  })
})

test('a test in test/ that imports a private file is named, one of a public entry or a fixture is not', () => {
  plant({
    'test/families/a.test.ts': `import { open } from '@ift/one'\nimport '../../packages/one/src/deep/b.js'\n`,
    'test/e2e/run.mjs': `await import('../../packages/one/dist/index.js')\n`,
    'test/fixture/c.ts': `import { d } from '../../packages/one/src/d.fixture.js'\nimport './e.js'\n`,
  })
  expect(privateImports(root).sort()).toEqual([
    'test/e2e/run.mjs imports ../../packages/one/dist/index.js: a test of a private file lies beside it',
    'test/families/a.test.ts imports ../../packages/one/src/deep/b.js: a test of a private file lies beside it',
  ])
})

describe('modules of a crate', () => {
  const rules = { 'crates/one': ['error', 'atoms', 'molecules'] }
  const lib = 'mod error;\nmod atoms;\nmod molecules;\npub use molecules::water::{Water as Wet, hot};\n'
  const upwards = (atoms: string, more: Record<string, string> = {}) => {
    plant({
      'crates/one/src/lib.rs': lib,
      'crates/one/src/error.rs': '',
      'crates/one/src/molecules/mod.rs': 'use crate::atoms::Atom;\nuse water::Water;\n',
      'crates/one/src/molecules/water.rs':
        'use super::super::error;\n#[macro_export]\nmacro_rules! melt { () => {} }\n',
      'crates/one/src/atoms/mod.rs': atoms,
      ...more,
    })
    return upwardModules(root, rules)
  }
  const fault = (line: number, path: string) =>
    `crates/one/src/atoms/mod.rs:${line} uses ${path}: atoms lies below molecules`

  test('what lies below may be used, a child too, and anything in tests, comments and text', () => {
    const atoms = [
      'mod shell;',
      'use std::{fmt, crate_name};',
      'use crate::error::{self, Error};',
      'use shell::Shell;',
      '/* use crate::molecules; /* nested */ crate::molecules::a() */ // crate::molecules::b()',
      `const A: &str = "crate::molecules::c() \\" crate::molecules"; const B: &str = r#"" crate::molecules"#;`,
      `fn f<'a>(x: &'a str) -> char { '"' } // use crate::molecules;`,
      'mod tests { use super::*; use crate::molecules::water; }',
    ]
    expect(upwards(atoms.join('\n'), { 'crates/one/src/atoms/shell.rs': 'use super::Atom;' })).toEqual([])
    expect(upwards('', { 'crates/one/src/atoms/tests.rs': 'use crate::molecules;' })).toEqual([])
  })

  test.each([
    ['use crate::molecules;', 'molecules'],
    ['pub(crate) use crate::molecules::water::Water as W;', 'molecules::water::Water'],
    ['use crate::{error, molecules::{water::{self}}};', 'molecules::water'],
    ['use crate::{\n    error::*,\n    molecules::*,\n};', 'molecules::*'],
    ['use super::molecules::water;', 'molecules::water'],
    ['fn f() -> crate::molecules::Water { x }', 'molecules::Water'],
    ['fn f() { self::super::molecules::boil() }', 'molecules::boil'],
    ['mod inner { use super::super::molecules::boil; }', 'molecules::boil'],
    ['mod inner { fn f() {} } fn g() { super::molecules::boil() }', 'molecules::boil'],
    ['macro_rules! m { () => { $crate::molecules::boil() } }', 'molecules::boil'],
    ['macro_rules! m { () => { use $crate::molecules::Water; } }', 'molecules::Water'],
    ['use crate::Wet;', 'Wet'],
    ['fn f() { crate::hot() }', 'hot'],
    ['use crate::melt;', 'melt'],
  ])('%s runs upwards', (atoms, path) => {
    expect(upwards(atoms)).toEqual([fault(1, path)])
  })

  test('the line is that of the path', () => {
    expect(upwards('/*\n*/\n"\n"; fn f() {\n crate::molecules::boil() }')).toEqual([
      fault(5, 'molecules::boil'),
    ])
  })

  test('what lib.rs holds lies above every module', () => {
    expect(upwards('use crate::Item;')).toEqual([
      'crates/one/src/atoms/mod.rs:1 uses Item: atoms lies below lib.rs',
    ])
  })

  test('a crate without layers is named', () => {
    const files = {
      'crates/two/Cargo.toml': '',
      'packages/three/native/Cargo.toml': '',
      'packages/four/a.ts': '',
    }
    expect(upwards('', files)).toEqual([
      'crates/two: its modules have no layers',
      'packages/three/native: its modules have no layers',
    ])
  })

  test('modules of a folder that use each other in a circle are named, and so is one without a layer', () => {
    const faults = upwards('', {
      'crates/one/src/atoms/a.rs': 'use super::b::B;',
      'crates/one/src/atoms/b/mod.rs': '',
      'crates/one/src/atoms/b/deep.rs': 'use crate::atoms::c;',
      'crates/one/src/atoms/c.rs': 'use super::a::A;',
      'crates/one/src/new.rs': '',
    })
    expect(faults[0]).toBe('crates/one: the layers name new nowhere')
    expect(faults[1]).toMatch(/^crates\/one: modules of atoms use each other in a circle: (. → ){3}.$/)
    expect(faults).toHaveLength(2)
  })
})
