/** The coordinator as a program, for those who start it from their own code. */
export { type Api, type ApiOptions, createApi } from './api/create-api.ts'
export { type Route, routes, type Scope } from './api/routes.ts'
export { type RunningServer, type ServeOptions, serve } from './serve/serve.ts'
export { readSettings, type Settings } from './serve/settings.ts'
