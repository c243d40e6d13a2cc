import { afterEach, expect, it } from 'vitest'
import { Resource } from './resource.ts'

const opened: Resource[] = []

function open(fences = true): Resource {
  const resource = new Resource({ fences })
  opened.push(resource)
  return resource
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((resource) => resource.close()))
})

const by = (token: string) => ({ worker: `w${token}`, key: 'stock', token })

/** The second holder takes over between the first one's read and its write. */
function takeOver(resource: Resource): void {
  resource.call({ op: 'claim', ...by('1') })
  resource.call({ op: 'claim', ...by('2') })
  resource.call({ op: 'write', ...by('2'), value: 1 })
  resource.call({ op: 'poke', ...by('2'), value: 1 })
  resource.call({ op: 'write', ...by('1'), value: 1 })
  resource.call({ op: 'poke', ...by('1'), value: 1 })
}

it('an old holder writes over what is newer, and the fence refuses it', () => {
  const resource = open()
  takeOver(resource)
  expect([resource.tally('fenced'), resource.tally('open')]).toEqual([
    { writes: 1, lost: 0 },
    { writes: 2, lost: 1 },
  ])
  expect(resource.refused).toEqual({ claims: 0, writes: 1 })
  expect(resource.effects.map(({ accepted }) => accepted)).toEqual([true, true, true, false])
})

it('a resource that ignores the token loses an update', () => {
  const resource = open(false)
  takeOver(resource)
  expect(resource.tally('fenced')).toEqual({ writes: 2, lost: 1 })
})

it('who has claimed is inside until it has written', () => {
  const resource = open()
  resource.call({ op: 'claim', ...by('1') })
  expect(resource.inside).toBe('w1')
  resource.call({ op: 'write', ...by('1'), value: 1 })
  expect(resource.inside).toBeNull()
})
