export type { RemoteCoordination, RemoteCoordinationOptions } from './remote-coordination.ts'
export { remoteCoordination } from './remote-coordination.ts'
