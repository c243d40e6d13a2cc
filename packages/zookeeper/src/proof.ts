/**
 * Until when a session is proven to live: nobody else can have what is ephemeral before.
 *
 * The leader alone ends sessions, and it counts from the last touch that it knows of. A follower answers reads and pings by itself, and
 * passes touches on with its next packet to the leader, every half tick. One that has lost the leader goes on answering, for
 * `syncLimit` ticks, while the leader ends the sessions behind it. So an answer alone proves nothing. What proves is an answer in which
 * the leader took part (a write, a `sync`): it came over the same ordered stream as the touches before it, so the leader knows of
 * every touch that was answered half a tick before that request was sent. A server takes no session below two ticks, so half a tick is
 * a quarter of the timeout at most.
 *
 * A greeting is exact: the leader itself has made the session, or has looked it up and touched it.
 */
export class Proof {
  #touches: Touch[] = []
  #timeoutMs = 0
  #untilMs = Number.NEGATIVE_INFINITY

  get untilMs(): number {
    return this.#untilMs
  }

  /** A new connection: every touch before it is older than this one, and proves less. */
  greeted(touch: Touch, timeoutMs: number): void {
    this.#touches = [touch]
    this.#timeoutMs = timeoutMs
    this.#prove(touch)
  }

  answered(touch: Touch, byLeader: boolean): void {
    if (byLeader) {
      const passedOnMs = touch.sentAtMs - this.#timeoutMs / 4
      const known = this.#touches.findLast(({ answeredAtMs }) => answeredAtMs <= passedOnMs)
      if (known) this.#prove(known)
    }
    const last = this.#touches.at(-1)
    if (last && touch.sentAtMs - last.sentAtMs < this.#timeoutMs / touchesPerTimeout) return
    this.#touches.push(touch)
    if (this.#touches.length > touchesMax) this.#touches.shift()
  }

  #prove({ sentAtMs }: Touch): void {
    this.#untilMs = Math.max(this.#untilMs, sentAtMs + this.#timeoutMs)
  }
}

/** Something that the server has answered: it has heard of us between the two. */
export interface Touch {
  readonly sentAtMs: number
  readonly answeredAtMs: number
}

/** Thousands of answers a second need not all be kept: what is left out costs this part of the timeout. */
const touchesPerTimeout = 24
/** More than one timeout's worth: an older one would prove nothing. */
const touchesMax = 32
