import { mutant } from 'lockstep/testing'

/** A value that is read, and written as one more, under a fence or without. */
export class FencedRegister {
  value = 0
  #fence = 0n
  #version = 0
  /** Writes that were accepted over a value that somebody had changed since it was read. */
  lostUpdates = 0
  stale = 0

  /** False when a newer holder was here. */
  claim(token: bigint): boolean {
    if (mutant('M14-resource-ignores-the-token')) return true
    if (token < this.#fence) {
      this.stale += 1
      return false
    }
    this.#fence = token
    return true
  }

  read(): { readonly value: number; readonly version: number } {
    return { value: this.value, version: this.#version }
  }

  /** False when it was refused. */
  write(token: bigint | null, value: number, readVersion: number): boolean {
    if (token !== null && !this.claim(token)) return false
    if (readVersion !== this.#version) this.lostUpdates += 1
    this.value = value
    this.#version += 1
    return true
  }
}
