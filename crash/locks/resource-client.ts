import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { ResourceAnswer, ResourceCall } from './resource.ts'

/** A worker's connection to the resource, which answers in order. */
export class ResourceClient {
  readonly #socket: Socket
  readonly #waiting: ((answer: ResourceAnswer) => void)[] = []

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1')
    this.#socket.setNoDelay(true)
    createInterface({ input: this.#socket }).on('line', (line) => {
      this.#waiting.shift()?.(JSON.parse(line) as ResourceAnswer)
    })
  }

  call(call: ResourceCall): Promise<ResourceAnswer> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#socket.write(`${JSON.stringify(call)}\n`)
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}
