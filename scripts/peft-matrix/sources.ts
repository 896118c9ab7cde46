// What a cell of the matrix depends on, as a hash: the code of the method, of the family, and of what both stand on, without
// comments, types and blanks. Kernels are not in it: every device has a conformance suite of its own.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { root } from '../workspace.mjs'
import type { MatrixMethod, MatrixModel } from './subjects.js'

/** Where what every cell runs through begins: the trial, and what methods and families import. */
const entries = [
  'packages/core/src/model/index.ts',
  'packages/core/src/peft/index.ts',
  'packages/core/src/testing/peft-trial.ts',
  'packages/tensor/src/index.ts',
  'scripts/peft-matrix/cell.ts',
  'scripts/peft-matrix/subjects.ts',
]

const compilerOptions: ts.CompilerOptions = {
  removeComments: true,
  target: ts.ScriptTarget.ESNext,
  verbatimModuleSyntax: true,
}

const transpiled = (text: string): string => ts.transpileModule(text, { compilerOptions }).outputText

/** A source as what runs of it. */
export const codeOf = (text: string): string => transpiled(text).replaceAll(/\s+/g, ' ')

/** These files and all that they import by a relative path as more than a type, sorted. */
export function closureOf(paths: readonly string[]): string[] {
  const found = new Set<string>()
  const visit = (path: string) => {
    if (found.has(path)) return
    found.add(path)
    const { importedFiles } = ts.preProcessFile(transpiled(readFileSync(join(root, path), 'utf8')))
    for (const { fileName } of importedFiles)
      if (/^\.{1,2}\/.*\.js$/.test(fileName)) visit(join(dirname(path), fileName.replace(/\.js$/, '.ts')))
  }
  for (const path of paths) visit(path)
  return [...found].sort()
}

/** Sources in a folder, sorted. */
const filesOf = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(({ name }) => name.endsWith('.ts') && !/\.(test|fixture|d)\.ts$/.test(name))
    .map((one) => join(one.parentPath, one.name).slice(root.length))
    .sort()

const digest = (parts: readonly (string | Buffer)[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return hash.digest('hex').slice(0, 16)
}

const known = new Map<string, string>()

/** The hash of the files that `list` names, which is made once. */
function hashOf(key: string, list: () => readonly string[]): string {
  const hash =
    known.get(key) ?? digest(list().flatMap((path) => [path, codeOf(readFileSync(join(root, path), 'utf8'))]))
  known.set(key, hash)
  return hash
}

/** The hash of what decides the cells of a method on a model. */
export function sourcesOf(method: Pick<MatrixMethod, 'package'>, model: MatrixModel): string {
  const files = ['config.json', 'model.safetensors'].map((name) =>
    readFileSync(join(model.subject.folder, name)),
  )
  const own = [method, model].map(({ package: { folder } }) => hashOf(folder, () => filesOf(`${folder}/src`)))
  return digest([hashOf('shared', () => closureOf(entries)), ...own, ...files])
}
