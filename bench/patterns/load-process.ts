/** The initiators, as a process of their own: they speak the protocol, or use the library's client, and check every answer. */
import { connect, type RemoteCoordinator } from 'lockstep'
import { answerQuestions } from '../setting/child.ts'
import { type LoadOptions, type LoadResult, load } from './load.ts'
import { type LocalDatabase, openLocal } from './local-database.ts'
import type { PatternName, RunOne, Until } from './pattern.ts'
import { patternOf } from './patterns.ts'
import { Requests } from './requests.ts'

export interface LoadQuestion extends LoadOptions {
  readonly pattern: PatternName
  readonly client: Client
  readonly until: Until
  /** Of the coordinator, or of what stands in for it. */
  readonly url: string
  readonly businessUrl: string
  /** The file of the initiators' own database. */
  readonly local: string
}

/** Requests of the protocol made by hand, or the library's `connect`. */
export type Client = 'protocol' | 'library'

const requests = new Map<string, Requests>()
const libraries = new Map<string, { readonly coordinator: RemoteCoordinator; readonly local: LocalDatabase }>()

answerQuestions<LoadQuestion, LoadResult>((question) => load(question, runnerOf(question)))

function runnerOf(question: LoadQuestion): RunOne {
  const { pattern, client, until, url, businessUrl } = question
  if (client === 'library') {
    const { coordinator, local } = libraryOf(question)
    return patternOf(pattern).byLibrary({ coordinator, until, local: local.write })
  }
  const parties = { coordinator: requestsTo(url), business: requestsTo(businessUrl), businessUrl, until }
  return patternOf(pattern).byProtocol(parties)
}

function requestsTo(url: string): Requests {
  const known = requests.get(url) ?? new Requests(url)
  requests.set(url, known)
  return known
}

function libraryOf({ url, businessUrl, local }: LoadQuestion) {
  const known = libraries.get(url)
  if (known !== undefined) return known
  const services = { bank: { url: businessUrl, barrier: true } }
  const opened = { coordinator: connect(url, { services }), local: openLocal(local) }
  libraries.set(url, opened)
  return opened
}
