import { kaimingUniform, normal, type Start } from '@ift/core/peft'
import { Module, Parameter, type Linear, type Tensor } from '@ift/tensor'

/** A tensor that virtual rows are made from. */
export interface RowTensor {
  /** Name in the checkpoints of a run; that of the adapter file where the file holds this very tensor. */
  readonly name: string
  readonly parameter: Parameter
  readonly start: Start
}

/** Name of the rows in an adapter file of Hugging Face PEFT, which has no other tensor. */
export const rowsName = 'prompt_embeddings'

/** In front of the names of an encoder's tensors, which are those of PEFT's module. */
export const encoderPrefix = 'prompt_encoder.'

/** Rows [virtual tokens, width] in f32, whatever the type of the model, and what is trained to make them. */
export abstract class RowSource extends Module<[], Tensor> {
  /** Switches dropout. */
  training = false
  /** Whether training draws random numbers. */
  readonly stochastic: boolean = false
  /** Everything that is trained, by names that do not change. */
  abstract tensors(): readonly RowTensor[]
}

/** What a file holds: rows or what makes them, without values, and the names of its tensors by those in the file. */
export interface StoredRows {
  readonly rows: RowSource
  readonly names: ReadonlyMap<string, string>
}

/** Rows that are trained themselves. */
export class Table extends RowSource {
  readonly rows: Parameter

  constructor(
    count: number,
    width: number,
    readonly start: Start = normal(1),
  ) {
    super()
    this.rows = new Parameter([count, width])
  }

  tensors(): readonly RowTensor[] {
    return [{ name: rowsName, parameter: this.rows, start: this.start }]
  }

  protected forward(): Tensor {
    return this.rows.value.alias()
  }
}

/** The table that an encoder reads: N(0, 1), as PyTorch starts embeddings. */
export const embeddingTensor = (parameter: Parameter): RowTensor => ({
  name: `${encoderPrefix}embedding.weight`,
  parameter,
  start: normal(1),
})

/** Weight and bias of a linear layer of an encoder: U(±1/√in) both, as PyTorch starts them. */
export const linearTensors = (
  name: string,
  linear: Linear,
  start: Start = kaimingUniform(linear.inFeatures),
): readonly RowTensor[] => [
  { name: `${encoderPrefix}${name}.weight`, parameter: linear.weight, start },
  { name: `${encoderPrefix}${name}.bias`, parameter: linear.bias!, start },
]
