import type { Module, Parameter, Tensor } from '@ift/tensor'
import type { Start } from './start.js'

/** A tensor that a method adds to a module. */
export interface AdapterTensor {
  /** End of its name in the adapter file, behind the path of the module: `lora_A.weight`, `ia3_l`. */
  readonly name: string
  readonly parameter: Parameter
  readonly start: Start
  /** Whether the optimiser updates it; true when absent. */
  readonly trained?: boolean
  /** Factor of the learning rate; 1 when absent. */
  readonly lrScale?: number
  /** Whether weight decay applies; true when absent. */
  readonly decay?: boolean
  /** Whether the file holds the matrix with rows and columns exchanged. */
  readonly turned?: boolean
  /** Shape in the file, where it is another one of as many elements. */
  readonly fileShape?: readonly number[]
}

/** Weights that a layer is folded into. */
export interface MergedWeights {
  /** f32, of the shape of the module's weight. */
  readonly weight: Tensor
  /** f32, of the shape of the module's bias; absent where the bias stays. */
  readonly bias?: Tensor | undefined
}

/**
 * A module with the tensors of a method, in the place of the frozen module that it wraps. What it computes of a row does not depend on
 * other rows: where several adapters share a pass, each layer gets its own rows.
 */
export interface AdaptedLayer extends Module<never[], Tensor> {
  readonly base_layer: Module<never[], Tensor> & {
    readonly weight: Parameter
    readonly bias?: Parameter | undefined
  }
  /** Whether dropout and the like are on. */
  training: boolean
  /** Off, the layer computes what its module computes. */
  enabled: boolean
  /** In the order of the adapter file. */
  tensors(): readonly AdapterTensor[]
  /** Starts what depends on the weights of the module, and may change them; called once, when `tensors()` have their starts. */
  begin?(stream: number): Promise<void>
  /**
   * Absent where no weight expresses the layer. Called without a tape, in a scope; what an implementation has to wait for it keeps
   * itself.
   */
  merged?(): MergedWeights | Promise<MergedWeights>
  /** Why this layer cannot be merged although others of the method can; null where it can. */
  readonly unmergeable?: string | null
  /**
   * What the layer adds to its module's result for x [N, in]: f32 [N, out]. Rows of several adapters then share one product with the
   * frozen weights. Undefined where the layer does more than add, as it is now.
   */
  readonly added?: ((x: Tensor) => Tensor) | undefined
  /** Whether it draws random numbers while it trains. */
  readonly stochastic?: boolean
  /** What stands in the place of the layer when its method is merged, where that is not its module with other weights. */
  readonly replaced?: Module | undefined
  /** Parameters of other layers that the file has under these ends of names too; reading passes over them. */
  readonly repeats?: ReadonlyMap<string, Parameter>
  /** Frees what it holds besides its tensors. */
  releaseTables?(): void
  /** What the file holds by `AdapterTensor.name`, where that is not the parameters. The caller releases the tensors. */
  saved?(): Promise<ReadonlyMap<string, Tensor>>
}
