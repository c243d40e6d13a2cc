/** Checkers of histories: what real processes saw is compared with what was promised. */
export { type Operation, type Verdict, worstOf } from './history.ts'
export {
  checkFence,
  checkFifo,
  checkMutex,
  checkSemaphore,
  checkTokenOrder,
  type FencedEffect,
  type Holding,
} from './lease-checks.ts'
export { checkLinearizable, type Model } from './linearizable.ts'
export {
  fencedMutexModel,
  mutexModel,
  reentrantFencedMutexModel,
  registerModel,
  semaphoreModel,
} from './lock-models.ts'
