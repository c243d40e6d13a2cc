/** What the nodes have said so far. It is settled as soon as no further answer can change it: nobody waits for the slowest. */
export class Votes {
  readonly #nodes: number
  #yes = 0
  #no = 0
  #silent = 0

  constructor(nodes: number) {
    this.#nodes = nodes
  }

  get quorum(): number {
    return Math.floor(this.#nodes / 2) + 1
  }

  get yes(): number {
    return this.#yes
  }

  get no(): number {
    return this.#no
  }

  /** So many nodes are away that no lock can be had at all. Known for certain only when all have voted. */
  get isUnavailable(): boolean {
    return this.#nodes - this.#silent < this.quorum
  }

  /** `silent` is a node that is away, or answered too late: it counts as no, and yet as nobody's refusal. */
  count(vote: 'yes' | 'no' | 'silent'): void {
    if (vote === 'yes') this.#yes += 1
    else if (vote === 'no') this.#no += 1
    else this.#silent += 1
  }

  /** Inequalities, so that an even split settles as well. */
  get outcome(): 'won' | 'lost' | 'open' {
    if (this.#yes >= this.quorum) return 'won'
    const open = this.#nodes - this.#yes - this.#no - this.#silent
    return this.#yes + open < this.quorum ? 'lost' : 'open'
  }
}
