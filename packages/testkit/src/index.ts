/** Conformance suites, the seeded simulator, and a launcher of real services. */
export * from './histories/index.ts'
export * from './services/etcd.ts'
export * from './services/postgres.ts'
export * from './services/redis.ts'
export * from './services/redis-proxy.ts'
export * from './services/service-process.ts'
export * from './services/zookeeper.ts'
export * from './simulator/index.ts'
