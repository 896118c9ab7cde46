import { corrupt } from '../errors.js'
import { protoFields } from './protobuf.js'

/** Kinds of pieces, by their numbers in the file (GGUF uses the same). */
export const pieceType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

export interface Piece {
  readonly text: string
  readonly score: number
  readonly type: number
}

/** The fields of sentencepiece_model.proto's ModelProto that encoding needs. */
export interface SentencePieceModel {
  readonly pieces: readonly Piece[]
  readonly type: 'unigram' | 'bpe' | 'word' | 'char'
  readonly byteFallback: boolean
  readonly unkId: number
  /** Null where the model has no such token. */
  readonly bosId: number | null
  readonly eosId: number | null
  readonly padId: number | null
  readonly spaceAsSuffix: boolean
  readonly charsMap: Uint8Array
  readonly dummyPrefix: boolean
  readonly removeExtraSpaces: boolean
  readonly escapeSpaces: boolean
}

const modelTypes: Readonly<Record<number, SentencePieceModel['type']>> = {
  1: 'unigram',
  2: 'bpe',
  3: 'word',
  4: 'char',
}

/** Reads a SentencePiece `.model`. Throws IFT_FILE_CORRUPT naming the piece or field. */
export function parseSentencePiece(bytes: Uint8Array, file: string): SentencePieceModel {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const pieces: Piece[] = []
  const numbers = new Map<string, number>()
  let charsMap = new Uint8Array()
  const numberOf = (value: bigint | Uint8Array, field: string): number => {
    if (typeof value !== 'bigint') throw corrupt(file, field, 'expected a number.')
    return Number(BigInt.asIntN(32, value))
  }
  const bytesOf = (value: bigint | Uint8Array, field: string): Uint8Array => {
    if (typeof value === 'bigint') throw corrupt(file, field, 'expected bytes, found a number.')
    return value
  }
  const readPiece = (message: Uint8Array, field: string): Piece => {
    let piece = ''
    let score = 0
    let type: number = pieceType.normal
    for (const { number, value } of protoFields(message, file, field))
      if (number === 1)
        try {
          piece = text.decode(bytesOf(value, field))
        } catch (cause) {
          throw corrupt(file, field, 'its text is not UTF-8.', cause)
        }
      else if (number === 2) {
        const raw = bytesOf(value, field)
        if (raw.length !== 4) throw corrupt(file, field, 'its score is not a 32-bit number.')
        score = new DataView(raw.buffer, raw.byteOffset, 4).getFloat32(0, true)
        if (!Number.isFinite(score)) throw corrupt(file, field, `its score is ${score}.`)
      } else if (number === 3) type = numberOf(value, field)
    if (piece === '') throw corrupt(file, field, 'its text is empty.')
    return { text: piece, score, type }
  }
  for (const { number, value } of protoFields(bytes, file, 'ModelProto')) {
    if (number === 1) pieces.push(readPiece(bytesOf(value, 'pieces'), `pieces[${pieces.length}]`))
    else if (number === 2 || number === 3) {
      const name = number === 2 ? 'trainer_spec' : 'normalizer_spec'
      for (const field of protoFields(bytesOf(value, name), file, name))
        if (typeof field.value === 'bigint')
          numbers.set(`${name}.${field.number}`, numberOf(field.value, name))
        else if (number === 3 && field.number === 2) charsMap = Uint8Array.from(field.value)
    }
  }
  if (pieces.length === 0) throw corrupt(file, 'pieces', 'not a SentencePiece model: there are none.')
  const seen = new Map<string, number>()
  for (const [id, piece] of pieces.entries()) {
    const first = seen.get(piece.text)
    if (first !== undefined)
      throw corrupt(file, `pieces[${id}]`, `${JSON.stringify(piece.text)} is pieces[${first}] already.`)
    seen.set(piece.text, id)
  }
  const type = modelTypes[numbers.get('trainer_spec.3') ?? 1]
  if (!type)
    throw corrupt(
      file,
      'trainer_spec.model_type',
      `expected 1 … 4, found ${String(numbers.get('trainer_spec.3'))}.`,
    )
  const optionalId = (field: number, name: string, fallback: number) => {
    const id = numbers.get(`trainer_spec.${field}`) ?? fallback
    if (id < 0) return null
    if (id >= pieces.length)
      throw corrupt(file, `trainer_spec.${name}`, `the id ${id} is beyond the ${pieces.length} pieces.`)
    // The numbers are defaults of the file format where the model was made without the token.
    return pieces[id]!.type === pieceType.control ? id : null
  }
  const unkId = pieces.findIndex((piece) => piece.type === pieceType.unknown)
  if (unkId < 0) throw corrupt(file, 'pieces', 'there is no unknown piece.')
  const flag = (key: string, fallback: boolean) => (numbers.get(key) ?? Number(fallback)) !== 0
  return {
    pieces,
    type,
    byteFallback: flag('trainer_spec.35', false),
    unkId,
    bosId: optionalId(41, 'bos_id', 1),
    eosId: optionalId(42, 'eos_id', 2),
    padId: optionalId(43, 'pad_id', -1),
    spaceAsSuffix: flag('trainer_spec.24', false),
    charsMap,
    dummyPrefix: flag('normalizer_spec.3', true),
    removeExtraSpaces: flag('normalizer_spec.4', true),
    escapeSpaces: flag('normalizer_spec.5', true),
  }
}

/** Text of the special tokens that a model has beside bos and eos. */
export const namesOf = ({ pieces, unkId, padId }: SentencePieceModel) => ({
  unk_token: pieces[unkId]!.text,
  ...(padId !== null && { pad_token: pieces[padId]!.text }),
})
