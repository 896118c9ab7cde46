// Emulation on the host of the CUDA subset that the kernels use: warp operations, barriers, mma.sync, ldmatrix,
// cp.async, atomics. Not emulated: partial lane masks, clusters, wgmma, TMA, textures. See README.md.
#pragma once
#include "intrinsics.h"
#include "launch.h"
#include "tensor.h"
