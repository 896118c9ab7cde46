// What a cell of the matrix depends on, as a hash: the code of the method, of the family, and of what both stand on, without
// comments, types and blanks. Kernels are not in it: every device has a conformance suite of its own.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from '../workspace.mjs'
import type { MatrixMethod, MatrixModel } from './subjects.js'

/** Folders and files that every cell runs through. */
const shared = [
  'packages/core/src/checkpoint/adapter.ts',
  'packages/core/src/checkpoint/adapter-formats',
  'packages/core/src/data/pack.ts',
  'packages/core/src/data/shared-prefixes.ts',
  'packages/core/src/data/virtual-tokens.ts',
  'packages/core/src/generate',
  'packages/core/src/model',
  'packages/core/src/peft',
  'packages/core/src/testing/claim.ts',
  ...['bench', 'decoding', 'files', 'merging', 'passes', 'training', 'trial'].map(
    (part) => `packages/core/src/testing/peft-${part}.ts`,
  ),
  'packages/core/src/testing/random-ids.ts',
  'packages/core/src/testing/training-steps.ts',
  'packages/core/src/train/forward.ts',
  'packages/core/src/train/optimizer',
  'packages/tensor/src/nn',
  'packages/tensor/src/ops',
  'packages/tensor/src/tensor',
  'scripts/peft-matrix/cell.ts',
  'scripts/peft-matrix/subjects.ts',
]

/** Sources at a path, sorted; none where there is nothing. */
function filesOf(path: string): string[] {
  const found = statSync(join(root, path), { throwIfNoEntry: false })
  if (!found) return []
  if (found.isFile()) return [path]
  return readdirSync(join(root, path), { recursive: true, withFileTypes: true })
    .filter(({ name }) => name.endsWith('.ts') && !/\.(test|fixture|d)\.ts$/.test(name))
    .map((one) => join(one.parentPath, one.name).slice(root.length))
    .sort()
}

const compilerOptions: ts.CompilerOptions = {
  removeComments: true,
  target: ts.ScriptTarget.ESNext,
  verbatimModuleSyntax: true,
}

/** A source as what runs of it. */
export const codeOf = (text: string): string =>
  ts.transpileModule(text, { compilerOptions }).outputText.replaceAll(/\s+/g, ' ')

const digest = (parts: readonly (string | Buffer)[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return hash.digest('hex').slice(0, 16)
}

const known = new Map<string, string>()

function hashOf(paths: readonly string[]): string {
  const key = paths.join()
  const hash =
    known.get(key) ??
    digest(paths.flatMap(filesOf).flatMap((path) => [path, codeOf(readFileSync(join(root, path), 'utf8'))]))
  known.set(key, hash)
  return hash
}

/** The hash of what decides the cells of a method on a model. */
export function sourcesOf(method: Pick<MatrixMethod, 'package'>, model: MatrixModel): string {
  const files = ['config.json', 'model.safetensors'].map((name) =>
    readFileSync(join(model.subject.folder, name)),
  )
  const own = [method, model].map((one) => hashOf([`${one.package.folder}/src`]))
  return digest([hashOf(shared), ...own, ...files])
}
