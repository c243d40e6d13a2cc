export { compareWithModel, type ModelComparison } from './compare-with-model.ts'
export type { OpenedStore, StoreCase, StoreHarness } from './store-case.ts'
export { storeConformance } from './store-conformance.ts'
