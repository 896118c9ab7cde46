import { IftError } from '@ift/tensor'
import { describe, expect, test } from 'vitest'
import { placement, type Environment } from './launchers.js'
import { expandCounts, expandNodeList } from './node-list.js'

const torchrun = {
  RANK: '5',
  WORLD_SIZE: '8',
  LOCAL_RANK: '1',
  LOCAL_WORLD_SIZE: '4',
  GROUP_RANK: '1',
  MASTER_ADDR: 'node-a',
  MASTER_PORT: '29400',
  TORCHELASTIC_RUN_ID: 'run7',
}
const openMpi = {
  OMPI_COMM_WORLD_RANK: '3',
  OMPI_COMM_WORLD_SIZE: '4',
  OMPI_COMM_WORLD_LOCAL_RANK: '1',
  OMPI_COMM_WORLD_LOCAL_SIZE: '2',
}
const slurm = {
  SLURM_PROCID: '5',
  SLURM_NTASKS: '6',
  SLURM_STEP_NUM_TASKS: '6',
  SLURM_LOCALID: '0',
  SLURM_NODEID: '2',
  SLURM_STEP_NODELIST: 'gpu[09-11]',
  SLURM_STEP_TASKS_PER_NODE: '3,2,1',
  SLURM_JOB_ID: '123456',
  SLURM_STEP_ID: '2',
}
const kubeflow = {
  PET_NNODES: '2',
  PET_NPROC_PER_NODE: '4',
  PET_NODE_RANK: '1',
  PET_MASTER_ADDR: 'job-node-0-0.job',
  PET_MASTER_PORT: '29400',
}

/** Launcher, environment, and rank, size, local rank, local size, device, MPI, master, run id. */
const ranks: [string, Environment, unknown[]][] = [
  [
    'IFT_* variables',
    { IFT_RANK: '1', IFT_WORLD_SIZE: '2', IFT_MASTER_ADDR: '10.0.0.1', ...torchrun },
    [1, 2, 1, null, 1, null, '10.0.0.1:29500', 'ift'],
  ],
  [
    'IFT_* variables',
    {
      IFT_RANK: '6',
      IFT_WORLD_SIZE: '8',
      IFT_LOCAL_RANK: '2',
      IFT_LOCAL_WORLD_SIZE: '4',
      IFT_MASTER_ADDR: 'h',
      IFT_MASTER_PORT: '7000',
      IFT_RUN_ID: 'x',
    },
    [6, 8, 2, 4, 2, null, 'h:7000', 'x'],
  ],
  ['torchrun', torchrun, [5, 8, 1, 4, 1, null, 'node-a:29400', 'run7.0']],
  [
    'torchrun',
    { ...torchrun, TORCHELASTIC_USE_AGENT_STORE: 'True', TORCHELASTIC_RESTART_COUNT: '3' },
    [5, 8, 1, 4, 1, null, 'node-a:29401,29402,29403,29404', 'run7.3'],
  ],
  // The launcher pod of an MPI operator exports torchrun's names as well; MPI is there all the same.
  [
    'torchrun',
    { ...torchrun, OMPI_COMM_WORLD_RANK: '5' },
    [5, 8, 1, 4, 1, 'openmpi', 'node-a:29400', 'run7.0'],
  ],
  ['Open MPI', openMpi, [3, 4, 1, 2, 1, 'openmpi', null, 'ift']],
  [
    'MPICH',
    { PMI_RANK: '1', PMI_SIZE: '2', MPI_LOCALRANKID: '1', MPI_LOCALNRANKS: '2' },
    [1, 2, 1, 2, 1, 'mpich', null, 'ift'],
  ],
  ['MPICH', { PMI_RANK: '5', PMI_SIZE: '6', ...slurm }, [5, 6, 0, null, 0, 'mpich', null, 'ift']],
  ['Slurm', slurm, [5, 6, 0, 1, 0, null, 'gpu09:23456', 'slurm-123456.2']],
  [
    'Slurm',
    { ...slurm, PMIX_RANK: '5', SLURM_LOCALID: '0', SLURM_STEP_TASKS_PER_NODE: '2(x3)' },
    [5, 6, 0, 2, 0, 'openmpi', 'gpu09:23456', 'slurm-123456.2'],
  ],
  // --gpus-per-task leaves each rank one device.
  [
    'Slurm',
    { ...slurm, SLURM_LOCALID: '2', SLURM_NODEID: '0', CUDA_VISIBLE_DEVICES: '2' },
    [5, 6, 2, 3, 0, null, 'gpu09:23456', 'slurm-123456.2'],
  ],
]

describe('the table of launchers', () => {
  test.each(ranks)('%s %#', (launcher, env, expected) => {
    const found = placement(env)
    if (found.kind !== 'rank') throw new Error(`found ${found.kind}`)
    const { place } = found
    const master = place.master && `${place.master.host}:${place.master.ports.join()}`
    expect(place.launcher).toBe(launcher)
    expect([
      place.rank,
      place.worldSize,
      place.localRank,
      place.localSize,
      place.device,
      place.mpi,
      master,
      place.runId,
    ]).toEqual(expected)
  })

  test('launchers that start one process a machine', () => {
    expect(placement(kubeflow)).toEqual({
      kind: 'start',
      local: {
        launcher: 'Kubeflow Trainer',
        nodes: 2,
        nodeRank: 1,
        perNode: 4,
        master: { host: 'job-node-0-0.job', ports: [29400] },
        runId: 'kubeflow',
      },
    })
    for (const perNode of ['auto', 'gpu', 'cpu'])
      expect(placement({ ...kubeflow, PET_NPROC_PER_NODE: perNode })).toMatchObject({ local: { perNode } })
    const job = { RANK: '1', WORLD_SIZE: '3', MASTER_ADDR: 'job-master-0', MASTER_PORT: '23456' }
    expect(placement(job)).toMatchObject({
      kind: 'start',
      local: { launcher: 'PyTorchJob', nodes: 3, nodeRank: 1, perNode: 'auto' },
    })
  })

  test.each<Environment>([
    {},
    { WORLD_SIZE: '1' },
    { RANK: '0', WORLD_SIZE: '1' },
    { IFT_RANK: '0', IFT_WORLD_SIZE: '1' },
    {
      ...openMpi,
      OMPI_COMM_WORLD_RANK: '0',
      OMPI_COMM_WORLD_SIZE: '1',
      OMPI_COMM_WORLD_LOCAL_RANK: '0',
      OMPI_COMM_WORLD_LOCAL_SIZE: '1',
    },
    { PET_NNODES: '1', PET_NPROC_PER_NODE: '1', PET_MASTER_ADDR: 'a' },
    // A batch script of Slurm, outside of srun.
    { SLURM_PROCID: '0', SLURM_NTASKS: '8', SLURM_JOB_ID: '7', SLURM_NODELIST: 'a[1-2]' },
  ])('%j is one process alone', (env) => {
    expect(placement(env)).toEqual({ kind: 'single' })
  })

  test.each<[Environment, RegExp]>([
    [{ IFT_RANK: '1' }, /IFT_WORLD_SIZE is not set/],
    [{ IFT_RANK: '0', IFT_WORLD_SIZE: '2' }, /address of rank 0 is missing/],
    [{ IFT_RANK: '2', IFT_WORLD_SIZE: '2', IFT_MASTER_ADDR: 'a' }, /rank 2 of 2/],
    [{ WORLD_SIZE: '4' }, /PyTorchJob: RANK is not set/],
    [{ ...torchrun, RANK: 'x' }, /RANK is "x"/],
    [{ ...torchrun, MASTER_ADDR: '' }, /MASTER_ADDR is not set/],
    [{ ...torchrun, MASTER_PORT: '70000' }, /MASTER_PORT is 70000/],
    [{ ...torchrun, LOCAL_RANK: '4' }, /local rank 4 of 4/],
    [
      { ...torchrun, OMPI_COMM_WORLD_RANK: '2' },
      /rank 5 by its variables and rank 2 by OMPI_COMM_WORLD_RANK/,
    ],
    [{ ...openMpi, OMPI_COMM_WORLD_SIZE: '' }, /OMPI_COMM_WORLD_SIZE is not set/],
    [{ ...slurm, SLURM_STEP_NODELIST: 'gpu[1-' }, /brackets/],
    [{ ...kubeflow, PET_NNODES: '1:4' }, /PET_NNODES is "1:4"/],
    [{ ...kubeflow, PET_NODE_RANK: '2' }, /machine 2 of 2/],
    [{ ...kubeflow, PET_NPROC_PER_NODE: 'many' }, /PET_NPROC_PER_NODE is "many"/],
    [{ RANK: '0', WORLD_SIZE: '2' }, /MASTER_ADDR is not set/],
  ])('%j is an error', (env, message) => {
    expect(() => placement(env)).toThrow(message)
    expect(() => placement(env)).toThrow(IftError)
  })
})

test('Slurm node lists', () => {
  expect(expandNodeList('a')).toEqual(['a'])
  expect(expandNodeList('gpu[01-03,7]-ib,login')).toEqual([
    'gpu01-ib',
    'gpu02-ib',
    'gpu03-ib',
    'gpu7-ib',
    'login',
  ])
  expect(expandNodeList('r[1-2]n[08-10]').join(' ')).toBe('r1n08 r1n09 r1n10 r2n08 r2n09 r2n10')
  for (const bad of ['a[1', 'a1]', 'a[]', 'a[2-1]', 'a[x]', 'a[[1]]'])
    expect(() => expandNodeList(bad), bad).toThrow(IftError)
  expect(expandCounts('2(x3),1')).toEqual([2, 2, 2, 1])
  expect(() => expandCounts('2(x')).toThrow(IftError)
})
