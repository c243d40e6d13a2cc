/** Conformance suites, the seeded simulator, and a launcher of real services. */
export * from './simulator/index.ts'
