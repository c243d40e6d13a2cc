/** What has a small number of its own: equal things are the same object. 0 stands for nothing. */
export interface Numbered {
  readonly number: number
}

/** Keeps every different thing once, so that a state of the search is four numbers and comparing two of them is cheap. */
export class Interned<T extends Numbered> {
  readonly #byText = new Map<string, T>()
  readonly #byNumber: (T | null)[] = [null]

  /** The one thing whose text this is. */
  of(text: string, make: (number: number) => T): T {
    const known = this.#byText.get(text)
    if (known !== undefined) return known
    const made = make(this.#byNumber.length)
    this.#byNumber.push(made)
    this.#byText.set(text, made)
    return made
  }

  at(number: number): T | null {
    return this.#byNumber[number] ?? null
  }

  /** Where it must be there. */
  the(number: number): T {
    const found = this.at(number)
    if (found === null) throw new Error(`Nothing has the number ${number}.`)
    return found
  }

  get size(): number {
    return this.#byNumber.length - 1
  }
}
