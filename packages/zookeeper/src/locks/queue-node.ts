import { mutant } from '#mutant'
import { isZooKeeperError } from '../errors.ts'
import type { AclEntry } from '../wire/acl.ts'
import type { Created } from '../wire/create.ts'
import type { AskPatience } from './ask-patience.ts'
import { deletePath, type LockNode, type LockSession } from './lock-session.ts'
import { makeContainer } from './paths.ts'
import { namePrefix, parseQueueName, type QueueKind } from './queue-names.ts'
import type { Removal } from './removal.ts'
import { mayPass } from './to-lockstep-error.ts'

export interface QueueNodeParts {
  readonly session: LockSession
  readonly root: string
  readonly parent: string
  readonly id: string
  readonly kind: QueueKind
  readonly data: string
  readonly acl: readonly AclEntry[]
  readonly patience: AskPatience
}

const triesMax = 10

/**
 * A place in a line, from before it is taken until it is certain to be given up. The server chooses the name, so a reply that is lost
 * leaves a node of which nobody knows; the id in the name finds it again (CURATOR-45).
 */
export class QueueNode {
  readonly id: string
  readonly #parts: QueueNodeParts
  /** Known, once an answer has come. */
  #node: LockNode | null = null
  /** A create was sent and not answered: there may be a node, or another one. */
  #isUncertain = false
  #creating: Promise<Created> | null = null
  #removal: Removal | null = null

  constructor(parts: QueueNodeParts) {
    this.id = parts.id
    this.#parts = parts
  }

  /** Takes the place. Fails with what the server refuses, or with what went wrong too often. */
  async create(): Promise<LockNode> {
    const { session, parent, patience } = this.#parts
    let step: 'create' | 'find' | 'parent' = 'create'
    for (let tries = 1; ; tries += 1) {
      try {
        patience.check()
        if (step === 'parent') await this.#makeParent()
        const found = step === 'find' ? await this.#find() : null
        return found ?? (await this.#send())
      } catch (error) {
        const isParentMissing = isZooKeeperError(error, 'NO_NODE')
        const isAgain = (isParentMissing || mayPass(error)) && !session.isOver
        if (!isAgain || tries >= triesMax || (tries > 1 && patience.isOver)) throw error
        step = isParentMissing ? 'parent' : 'find'
        session.environment.log.debug({ parent, tries }, 'The creation of a lock node is tried again')
      }
    }
  }

  /** In the background and for certain, whatever is known of it. Called twice, it is one removal. */
  abandon(): Removal {
    this.#removal ??= this.#parts.session.remove(() => this.#removeOnce())
    return this.#removal
  }

  /** A second node of ours in the line: of a create whose answer was lost, and that came through after all. */
  removeOthers(names: readonly string[]): void {
    for (const name of this.#own(names)) {
      const path = `${this.#parts.parent}/${name}`
      if (path !== this.#node?.path) this.#parts.session.removePath(path)
    }
  }

  #known({ path, stat }: Pick<Created, 'path' | 'stat'>): LockNode {
    this.#node = { path, czxid: stat.czxid }
    return this.#node
  }

  async #send(): Promise<LockNode> {
    const { session, parent, id, kind, data, acl, patience } = this.#parts
    const timeoutMs = patience.requestMs(session.ttlMs)
    const path = `${parent}/${namePrefix(id, kind)}`
    patience.check()
    this.#creating = session.zookeeper.create(path, { mode: 'ephemeral-sequential', data, acl, timeoutMs })
    try {
      return this.#known(await this.#creating)
    } catch (error) {
      this.#isUncertain ||= !isZooKeeperError(error) || error.outcome === 'unknown'
      throw error
    } finally {
      this.#creating = null
    }
  }

  async #makeParent(): Promise<void> {
    const { session, root, parent, acl, patience } = this.#parts
    await makeContainer(session.zookeeper, parent, { root, acl, timeoutMs: patience.requestMs(session.ttlMs) })
  }

  /**
   * Ours among the children. The leader is asked first: behind another server what the old connection sent may still be on its way.
   */
  async #find(): Promise<LockNode | null> {
    const { session, parent } = this.#parts
    const { zookeeper } = session
    let adopted: LockNode | null = null
    for (const name of this.#own(await this.#listAfterSync())) {
      const path = `${parent}/${name}`
      const { stat } = await zookeeper.getData(path, { timeoutMs: session.requestMs })
      // Of an older session, it goes on its own; but somebody may wait behind it.
      if (stat.ephemeralOwner !== zookeeper.sessionId) session.removePath(path)
      else adopted ??= this.#known({ path, stat })
    }
    return adopted
  }

  async #removeOnce(): Promise<boolean> {
    const { session, parent } = this.#parts
    await this.#creating?.catch(() => {})
    if (this.#node !== null && !this.#isUncertain) return deletePath(session, this.#node.path)
    if (!this.#isUncertain) return false
    const names = this.#own(await this.#listAfterSync())
    const removed = await Promise.all(names.map((name) => deletePath(session, `${parent}/${name}`)))
    return removed.includes(true)
  }

  async #listAfterSync(): Promise<readonly string[]> {
    const { session, parent } = this.#parts
    const { zookeeper, requestMs: timeoutMs } = session
    try {
      const [, { children }] = await Promise.all([
        zookeeper.sync(parent, { timeoutMs }),
        zookeeper.getChildren(parent, { timeoutMs }),
      ])
      return children
    } catch (error) {
      if (isZooKeeperError(error, 'NO_NODE')) return []
      throw error
    }
  }

  #own(names: readonly string[]): readonly string[] {
    // Without the id in the name, only the node that an answer named is known to be ours.
    if (mutant('W7-no-protected-create')) return names.filter((name) => this.#node?.path.endsWith(`/${name}`))
    return names.filter((name) => parseQueueName(name)?.id === this.id)
  }
}
